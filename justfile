# The parts of `./yard check`, one by one. `./yard` makes the environment; `.venv/bin/just` lists these.

bin := justfile_directory() / ".venv/bin"

[private]
default:
    @"{{ bin }}/just" --list --justfile "{{ justfile() }}"

# Everything that must hold before a change is good
check *ARGS:
    ./yard check {{ ARGS }}

# The demo, from a clean home
demo *ARGS:
    ./yard demo {{ ARGS }}

# Rewrite the layout of the code and mend what can be mended
format:
    "{{ bin }}/ruff" format .
    "{{ bin }}/ruff" check --fix .

# Style, types and the direction of imports
lint:
    "{{ bin }}/ruff" format --check .
    "{{ bin }}/ruff" check .
    "{{ bin }}/pyrefly" check
    "{{ bin }}/lint-imports"

# The tests, or some of them
test *ARGS:
    "{{ bin }}/pytest" {{ ARGS }}

# Write docs/reference.md, the tables of docs/share.md and docs/health from the code
docs:
    "{{ bin }}/python" docs/generate.py
    "{{ bin }}/python" docs/share_tables.py
    "{{ bin }}/python" docs/health_pages.py
    "{{ bin }}/python" docs/health_kpis.py

# Seconds of `brickyard --help`
bench:
    "{{ bin }}/python" bench/cli_help.py

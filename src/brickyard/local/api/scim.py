"""Users and groups as SCIM serves them: those who hold tokens, those who were created, and the groups they are in."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from starlette.responses import Response

from brickyard.local.api.documents import Documents
from brickyard.local.api.routes import (
    Answer,
    Call,
    JsonObject,
    Router,
    field_objects,
    field_text,
    json_response,
)
from brickyard.local.api.tokens import Tokens

BUILT_IN = ("admins", "users")
_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0"
_MESSAGES = "urn:ietf:params:scim:api:messages:2.0"
_USERS, _GROUPS = "/api/2.0/preview/scim/v2/Users", "/api/2.0/preview/scim/v2/Groups"
_USER, _GROUP = "user:", "group:"
_MAX_COUNT = 10_000
_TERM = re.compile(r"""\s*([\w.$]+)\s+(eq|ne|co|sw)\s+(?:"([^"]*)"|'([^']*)'|(\S+))\s*\Z""", re.IGNORECASE)
_ELEMENT = re.compile(r"""(\w+)\[\s*value\s+eq\s+["']?([^"'\]]*)["']?\s*\]\Z""", re.IGNORECASE)
_USER_FIELDS = ("displayName", "active", "name", "entitlements", "roles", "externalId")
_GROUP_FIELDS = ("displayName", "members", "entitlements", "roles", "externalId", "groups")
_LISTS = ("members", "entitlements", "roles", "groups")
_RIGHTS = [{"value": "workspace-access"}, {"value": "databricks-sql-access"}]


class ScimError(Exception):
    """A refusal in SCIM's own envelope."""

    def __init__(self, status: int, detail: str, scim_type: str = "") -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.scim_type = scim_type

    def response(self) -> Response:
        """The answer."""
        body: JsonObject = {"schemas": [f"{_MESSAGES}:Error"], "detail": self.detail, "status": str(self.status)}
        return json_response(body | ({"scimType": self.scim_type} if self.scim_type else {}), self.status)


@dataclass(frozen=True, slots=True)
class Directory:
    """The people and groups of a workspace; *rows* keeps what was created or changed."""

    tokens: Tokens
    rows: Documents

    def names(self) -> list[str]:
        """The owner, then everybody who holds a token or was created."""
        held = {row.principal for row in self.tokens.all_rows()}
        created = {key.removeprefix(_USER) for key, _ in self.rows.items(_USER)}
        return [self.tokens.owner, *sorted((held | created) - {self.tokens.owner})]

    def user(self, name: str) -> JsonObject:
        """A user as SCIM shows it."""
        kept = self.rows.get(_USER + name) or {}
        memberships = [group for group in self.groups() if _is_member(group, user_id(name))]
        return {
            "schemas": [f"{_SCHEMA}:User"],
            "id": user_id(name),
            "userName": name,
            "displayName": name.partition("@")[0],
            "active": True,
            "emails": [{"type": "work", "value": name, "primary": True}],
            "entitlements": _RIGHTS,
            **kept,
            "groups": [
                {"display": g["displayName"], "type": "direct", "value": g["id"], "$ref": f"Groups/{g['id']}"}
                for g in memberships
            ],
        }

    def users(self) -> list[JsonObject]:
        """All users."""
        return [self.user(name) for name in self.names()]

    def groups(self) -> list[JsonObject]:
        """The two groups that every workspace has, then those that were created."""
        built_in = {"admins": [self.tokens.owner], "users": self.names()}
        fixed = [_group(user_id(name), {"displayName": name, "members": _members(m)}) for name, m in built_in.items()]
        return [*fixed, *(_group(key.removeprefix(_GROUP), row) for key, row in self.rows.items(_GROUP))]

    def name_of(self, id_: str) -> str:
        """The user of an id, or a 404."""
        for name in self.names():
            if user_id(name) == id_:
                return name
        raise ScimError(404, f"User {id_} not found.")

    def group(self, id_: str) -> JsonObject:
        """The group of an id, or a 404."""
        for group in self.groups():
            if group["id"] == id_:
                return group
        raise ScimError(404, f"Group {id_} not found.")

    def created_group(self, id_: str) -> str:
        """The key of a group that may be changed."""
        name = self.group(id_)["displayName"]
        if self.rows.get(_GROUP + id_) is None:
            raise ScimError(403, f"The group {name} is the workspace's own: who is in it follows from its principals.")
        return _GROUP + id_

    def member(self, id_: str) -> JsonObject:
        """A member of a group by its id: a user or a group."""
        for name in self.names():
            if user_id(name) == id_:
                return {"display": name, "value": id_, "$ref": f"Users/{id_}"}
        group = self.group(id_)
        return {"display": group["displayName"], "value": id_, "$ref": f"Groups/{id_}"}

    def groups_of(self, name: str) -> frozenset[str]:
        """The groups that a user is in, through other groups too."""
        groups, inside = self.groups(), {user_id(name)}
        while found := {str(g["id"]) for g in groups if any(_is_member(g, one) for one in inside)} - inside:
            inside |= found
        return frozenset(str(g["displayName"]) for g in groups if g["id"] in inside - {user_id(name)})

    def forget(self, id_: str) -> None:
        """Take a user or group out of all groups."""
        with self.rows.changing() as draft:
            for row in draft.values():
                if isinstance(members := row.get("members"), list):
                    row["members"] = [one for one in members if one["value"] != id_]


router: Router[Directory] = Router()


def _scim(answer: Callable[[Directory, Call], Answer]) -> Callable[[Directory, Call], Answer]:
    """Answer refusals in SCIM's envelope."""

    def guarded(directory: Directory, call: Call) -> Answer:
        try:
            return answer(directory, call)
        except ScimError as error:
            return error.response()

    guarded.__doc__ = answer.__doc__
    return guarded


@router.on("GET", _USERS, operation="users.list")
@_scim
def users(directory: Directory, call: Call) -> Answer:
    """List users: filter (eq, ne, co, sw, and, or), sortBy, startIndex and count, attributes."""
    return _page(directory.users(), call)


@router.on("GET", f"{_USERS}/{{id}}", operation="users.get")
@_scim
def user(directory: Directory, call: Call) -> Answer:
    """Describe one user."""
    return _chosen(directory.user(directory.name_of(call.params["id"])), call)


@router.on("POST", _USERS, operation="users.create")
@_scim
def create_user(directory: Directory, call: Call) -> Answer:
    """Create a user; its tokens are made by the owner's route for that."""
    _only_owner(call)
    body = call.body()
    name = field_text(body, "userName").strip()
    if name.lower() in {known.lower() for known in directory.names()}:
        raise ScimError(409, f"User with username {name} already exists.", "uniqueness")
    with directory.rows.changing() as draft:
        draft[_USER + name] = _fields(body, _USER_FIELDS)
    for group in field_objects(body, "groups"):
        _change_members(directory, field_text(group, "value"), add=[user_id(name)])
    return json_response(directory.user(name), 201)


@router.on("PUT", f"{_USERS}/{{id}}", operation="users.update")
@_scim
def update_user(directory: Directory, call: Call) -> Answer:
    """Replace what is known of a user; the name and the e-mail addresses stay."""
    _only_owner(call)
    name = directory.name_of(call.params["id"])
    with directory.rows.changing() as draft:
        draft[_USER + name] = _fields(call.body(), _USER_FIELDS)
    return directory.user(name)


@router.on("PATCH", f"{_USERS}/{{id}}", operation="users.patch")
@_scim
def patch_user(directory: Directory, call: Call) -> Answer:
    """Change some of what is known of a user; the name and the e-mail addresses stay."""
    _only_owner(call)
    name = directory.name_of(call.params["id"])
    with directory.rows.changing() as draft:
        row = draft.setdefault(_USER + name, {})
        row.setdefault("entitlements", _RIGHTS)
        _patch(row, call.body(), _USER_FIELDS)
    return directory.user(name)


@router.on("DELETE", f"{_USERS}/{{id}}", operation="users.delete")
@_scim
def delete_user(directory: Directory, call: Call) -> Answer:
    """Remove a user: the tokens end, the memberships too."""
    _only_owner(call)
    name = directory.name_of(call.params["id"])
    if name == directory.tokens.owner:
        raise ScimError(400, "The owner of the workspace cannot be removed.")
    for token in directory.tokens.rows(name):
        directory.tokens.revoke(token.token_id)
    directory.forget(user_id(name))
    with directory.rows.changing() as draft:
        draft.pop(_USER + name, None)
    return Response(status_code=204)


@router.on("GET", _GROUPS, operation="groups.list")
@_scim
def groups(directory: Directory, call: Call) -> Answer:
    """List groups: filter (eq, ne, co, sw, and, or), sortBy, startIndex and count, attributes."""
    return _page(directory.groups(), call)


@router.on("GET", f"{_GROUPS}/{{id}}", operation="groups.get")
@_scim
def group(directory: Directory, call: Call) -> Answer:
    """Describe one group."""
    return _chosen(directory.group(call.params["id"]), call)


@router.on("POST", _GROUPS, operation="groups.create")
@_scim
def create_group(directory: Directory, call: Call) -> Answer:
    """Create a group with its members."""
    _only_owner(call)
    body, id_ = call.body(), str(secrets.randbelow(9 * 10**14) + 10**14)
    name = field_text(body, "displayName").strip()
    _check_new_group(directory, name)
    members = [directory.member(field_text(one, "value")) for one in field_objects(body, "members")]
    with directory.rows.changing() as draft:
        draft[_GROUP + id_] = {**_fields(body, _GROUP_FIELDS), "displayName": name, "members": members}
    return json_response(directory.group(id_), 201)


@router.on("PUT", f"{_GROUPS}/{{id}}", operation="groups.update")
@_scim
def update_group(directory: Directory, call: Call) -> Answer:
    """Replace a group with its members."""
    _only_owner(call)
    key, body = directory.created_group(call.params["id"]), call.body()
    name = field_text(body, "displayName", str(directory.group(call.params["id"])["displayName"]))
    _check_new_group(directory, name, but=call.params["id"])
    members = [directory.member(field_text(one, "value")) for one in field_objects(body, "members")]
    with directory.rows.changing() as draft:
        draft[key] = {**_fields(body, _GROUP_FIELDS), "displayName": name, "members": members}
    return directory.group(call.params["id"])


@router.on("PATCH", f"{_GROUPS}/{{id}}", operation="groups.patch")
@_scim
def patch_group(directory: Directory, call: Call) -> Answer:
    """Add or remove members, or change the name of a group."""
    _only_owner(call)
    key = directory.created_group(call.params["id"])
    with directory.rows.changing() as draft:
        row = draft[key]
        _patch(row, call.body(), _GROUP_FIELDS)
        _check_new_group(directory, str(row["displayName"]), but=call.params["id"])
        row["members"] = [directory.member(str(one["value"])) for one in field_objects(row, "members")]
    return directory.group(call.params["id"])


@router.on("DELETE", f"{_GROUPS}/{{id}}", operation="groups.delete")
@_scim
def delete_group(directory: Directory, call: Call) -> Answer:
    """Remove a group."""
    _only_owner(call)
    key = directory.created_group(call.params["id"])
    directory.forget(call.params["id"])
    with directory.rows.changing() as draft:
        del draft[key]
    return Response(status_code=204)


def user_id(name: str) -> str:
    """The id of a user, and of a group that every workspace has."""
    return str(int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big"))


# changes


def _only_owner(call: Call) -> None:
    if not call.principal.owner:
        raise ScimError(403, "Only an admin may change users and groups.")


def _check_new_group(directory: Directory, name: str, but: str = "") -> None:
    taken = {str(g["displayName"]).lower() for g in directory.groups() if g["id"] != but}
    if name.lower() in taken:
        raise ScimError(409, f"Group with name {name} already exists.", "uniqueness")


def _change_members(directory: Directory, id_: str, add: Iterable[str]) -> None:
    key = directory.created_group(id_)
    with directory.rows.changing() as draft:
        known = field_objects(draft[key], "members")
        draft[key]["members"] = [*known, *(directory.member(one) for one in add)]


def _fields(body: Mapping[str, object], names: Iterable[str]) -> JsonObject:
    found = {name: body[name] for name in names if body.get(name) is not None}
    if not isinstance(found.get("active", True), bool):
        raise ScimError(400, "active must be true or false.", "invalidValue")
    return found


def _patch(row: JsonObject, body: Mapping[str, object], names: Iterable[str]) -> None:
    """Apply the operations of a SCIM patch to a document; fields that cannot be changed are passed over."""
    for operation in field_objects(body, "Operations"):
        word, path, value = (
            field_text(operation, "op").lower(),
            field_text(operation, "path", ""),
            operation.get("value"),
        )
        if word not in ("add", "remove", "replace"):
            raise ScimError(400, f"op must be add, remove or replace, not {word!r}.", "invalidSyntax")
        changes = value if not path and isinstance(value, dict) else {path: value}
        for name, given in changes.items():
            if name.partition("[")[0].partition(".")[0] in names:
                _change(row, word, name, given)


def _change(row: JsonObject, word: str, path: str, value: object) -> None:
    element = _ELEMENT.match(path)
    name = element[1] if element else path
    if name in _LISTS:
        row[name] = _changed_list(field_objects(row, name), word, element[2] if element else None, value)
    elif word == "remove":
        row.pop(name, None)
    elif "." in name:
        outer, _, inner = name.partition(".")
        known = row.get(outer)
        row[outer] = {**(known if isinstance(known, dict) else {}), inner: value}
    else:
        row.update(_fields({name: value}, (name,)))


def _changed_list(known: list[JsonObject], word: str, element: str | None, value: object) -> list[JsonObject]:
    given = [
        one if isinstance(one, dict) else {"value": one} for one in (value if isinstance(value, list) else [value])
    ]
    given = [] if value is None else given
    if word == "replace" and element is None:
        return given
    if word == "remove":
        gone = {element} if element is not None else {one.get("value") for one in given}
        return [one for one in known if (element is not None or given) and one.get("value") not in gone]
    return list({str(one.get("value")): one for one in [*known, *given]}.values())


# views


def _group(id_: str, row: Mapping[str, object]) -> JsonObject:
    meta = {"resourceType": "WorkspaceGroup"}
    return {"schemas": [f"{_SCHEMA}:Group"], "id": id_, "members": [], **row, "meta": meta}


def _members(names: Iterable[str]) -> list[JsonObject]:
    return [{"display": name, "value": user_id(name), "$ref": f"Users/{user_id(name)}"} for name in names]


def _is_member(group: JsonObject, id_: str) -> bool:
    return any(one.get("value") == id_ for one in field_objects(group, "members"))


def _page(rows: list[JsonObject], call: Call) -> JsonObject:
    found = [row for row in rows if _matches(row, call.query.get("filter", ""))]
    if by := call.query.get("sortBy"):
        found.sort(key=lambda row: _value(row, by), reverse=call.query.get("sortOrder") == "descending")
    start = max(call.number("startIndex", 1), 1)
    count = min(max(call.number("count", 100), 0), _MAX_COUNT)
    shown = found[start - 1 : start - 1 + count]
    return {
        "schemas": [f"{_MESSAGES}:ListResponse"],
        "totalResults": len(found),
        "startIndex": start,
        "itemsPerPage": len(shown),
        "Resources": [_chosen(row, call) for row in shown],
    }


def _chosen(row: JsonObject, call: Call) -> JsonObject:
    """The attributes that a request asks for; the id is always among them."""
    wanted = {name.strip().partition(".")[0].lower() for name in call.query.get("attributes", "").split(",")} - {""}
    without = {name.strip().lower() for name in call.query.get("excludedAttributes", "").split(",")} - {"id"}
    return {k: v for k, v in row.items() if (not wanted or k.lower() in wanted | {"id"}) and k.lower() not in without}


def _matches(row: JsonObject, text: str) -> bool:
    """Whether a document passes a filter; `and` binds closer than `or`."""
    if not text.strip():
        return True
    return any(all(_holds(row, term) for term in _split(part, "and")) for part in _split(text, "or"))


def _split(text: str, word: str) -> list[str]:
    return re.split(rf"""\s+{word}\s+(?=(?:[^"]*"[^"]*")*[^"]*\Z)""", text, flags=re.IGNORECASE)


def _holds(row: JsonObject, term: str) -> bool:
    found = _TERM.match(term)
    if found is None:
        raise ScimError(400, f"The filter {term!r} is not understood.", "invalidFilter")
    left = _value(row, found[1])
    right = next(part for part in (*found.groups()[2:], "") if part is not None).lower()
    return {"eq": left == right, "ne": left != right, "co": right in left, "sw": left.startswith(right)}[
        found[2].lower()
    ]


def _value(row: JsonObject, path: str) -> str:
    """An attribute as text in lower case; of a list the first element's value."""
    name, _, inner = path.partition(".")
    value = next((v for k, v in row.items() if k.lower() == name.lower()), "")
    if isinstance(value, list):
        value = next(iter(value), {})
    if isinstance(value, dict):
        value = value.get(inner or "value", "")
    return str(value).lower()

//! Users, roles and permissions: managed while authentication is off, and then a while in which it is on.

use bytes::Bytes;
use detcd_proto::{authpb, etcdserverpb as pb};
use pb::watch_request::RequestUnion;

use super::Dice;
use crate::diff::plan::{Action, Caller, Step, Token, path};

const USERS: [&str; 5] = ["root", "u1", "u2", "u3", ""];
const ROLES: [&str; 5] = ["root", "r1", "r2", "r3", ""];
const PASSWORDS: [&str; 3] = ["secret", "", "other"];

/// A stream that is closed again at once: a watch that stays open would have to settle, which needs permission.
const STREAM: u8 = 100;

/// One call, mostly to manage something.
pub fn manage(dice: &mut Dice) -> Step {
    let (user, role) = (dice.pick(&USERS).to_owned(), dice.pick(&ROLES).to_owned());
    match dice.below(16) {
        0 | 1 => user_add(dice, &user),
        2 => Step::unary("/etcdserverpb.Auth/UserDelete", &pb::AuthUserDeleteRequest { name: user }),
        3 => Step::unary("/etcdserverpb.Auth/UserGet", &pb::AuthUserGetRequest { name: user }),
        4 => Step::unary("/etcdserverpb.Auth/UserList", &pb::AuthUserListRequest {}),
        5 => {
            let password = dice.pick(&PASSWORDS).to_owned();
            let request = pb::AuthUserChangePasswordRequest { name: user, password, ..Default::default() };
            Step::unary("/etcdserverpb.Auth/UserChangePassword", &request)
        }
        6 | 7 => grant_role(&user, &role),
        8 => Step::unary(
            "/etcdserverpb.Auth/UserRevokeRole",
            &pb::AuthUserRevokeRoleRequest { name: user, role },
        ),
        9 => role_add(&role),
        10 => Step::unary("/etcdserverpb.Auth/RoleDelete", &pb::AuthRoleDeleteRequest { role }),
        11 => Step::unary("/etcdserverpb.Auth/RoleGet", &pb::AuthRoleGetRequest { role }),
        12 => Step::unary("/etcdserverpb.Auth/RoleList", &pb::AuthRoleListRequest {}),
        13 => grant_permission(dice, &role),
        14 => {
            let (key, range_end) = dice.interval();
            let request = pb::AuthRoleRevokePermissionRequest { role, key, range_end };
            Step::unary("/etcdserverpb.Auth/RoleRevokePermission", &request)
        }
        _ => Step::unary("/etcdserverpb.Auth/AuthStatus", &pb::AuthStatusRequest {}),
    }
}

fn user_add(dice: &mut Dice, name: &str) -> Step {
    let password = if dice.percent(70) { "secret".to_owned() } else { dice.pick(&PASSWORDS).to_owned() };
    let options = dice.percent(20).then_some(authpb::UserAddOptions { no_password: dice.percent(70) });
    let request = pb::AuthUserAddRequest { name: name.to_owned(), password, options, ..Default::default() };
    Step::unary("/etcdserverpb.Auth/UserAdd", &request)
}

fn role_add(name: &str) -> Step {
    Step::unary("/etcdserverpb.Auth/RoleAdd", &pb::AuthRoleAddRequest { name: name.to_owned() })
}

fn grant_role(user: &str, role: &str) -> Step {
    let request = pb::AuthUserGrantRoleRequest { user: user.to_owned(), role: role.to_owned() };
    Step::unary("/etcdserverpb.Auth/UserGrantRole", &request)
}

fn grant_permission(dice: &mut Dice, role: &str) -> Step {
    let (mut key, mut range_end) = dice.interval();
    // Before 3.6 what is no interval was taken.
    if key.is_empty() {
        key = Bytes::from_static(b"k");
    }
    if range_end != b"\0"[..] && range_end <= key {
        range_end = Bytes::new();
    }
    let perm = authpb::Permission { perm_type: dice.number_of(3), key, range_end };
    let perm = (!dice.percent(5)).then_some(perm);
    let request = pb::AuthRoleGrantPermissionRequest { name: role.to_owned(), perm };
    Step::unary("/etcdserverpb.Auth/RoleGrantPermission", &request)
}

fn authenticate(name: &str, password: &str) -> Step {
    let request = pb::AuthenticateRequest { name: name.to_owned(), password: password.to_owned() };
    Step::unary(path::AUTHENTICATE, &request)
}

fn as_root() -> Caller {
    Caller { token: token("root", "token", ""), ..Caller::default() }
}

fn token(name: &str, key: &'static str, prefix: &'static str) -> Token {
    Token::User { name: name.to_owned(), key, prefix }
}

fn caller(dice: &mut Dice) -> Caller {
    let name = dice.pick(&["root", "u1", "u1", "u2"]);
    let token = match dice.below(12) {
        0 => Token::None,
        1 => Token::Garbage("nonsense"),
        2 => Token::Garbage("abcdefghijklmnop.1"),
        3..=5 => token(name, "authorization", ""),
        _ => token(name, "token", ""),
    };
    Caller { token, ..Caller::default() }
}

/// Who makes a call. Before 3.6 anybody could compact, raise alarms and use leases, and no `Bearer ` was taken off a token: where the
/// two would part, root speaks, and the prefix is left to reads.
fn speaks(dice: &mut Dice, step: Step, caller: &Caller) -> Step {
    if [path::COMPACT, path::ALARM].contains(&step.path()) || step.path().starts_with("/etcdserverpb.Lease/")
    {
        return step.by(as_root());
    }
    if step.path() == path::RANGE && dice.percent(20) {
        let (key, prefix) =
            dice.pick(&[("authorization", "Bearer "), ("token", "Bearer "), ("authorization", "bearer ")]);
        return step.by(Caller { token: token("u1", key, prefix), ..Caller::default() });
    }
    step.by(caller.clone())
}

/// Authentication is turned on, many sorts of callers make `calls`, and it is turned off again.
pub fn enabled(dice: &mut Dice, mut calls: impl FnMut(&mut Dice) -> Vec<Step>) -> Vec<Step> {
    let on = || Step::unary(path::AUTH_ENABLE, &pb::AuthEnableRequest {});
    let off = || Step::unary(path::AUTH_DISABLE, &pb::AuthDisableRequest {});
    let mut steps: Vec<Step> = (0..8).map(|stream| Step::new(Action::Unwatch { stream })).collect();
    steps.extend([on(), user_add_plain("root"), on(), grant_role("root", "root"), role_add("root")]);
    for (user, role) in [("u1", "r1"), ("u2", "r2")] {
        steps.extend([user_add_plain(user), role_add(role), grant_role(user, role)]);
        steps.push(grant_permission(dice, role));
        steps.push(grant_permission(dice, role));
    }
    steps.push(authenticate("root", "secret"));
    steps.push(on());
    for name in ["root", "u1", "u2"] {
        steps.push(authenticate(name, "secret"));
    }
    for _ in 0..10 + dice.below(60) {
        let caller = caller(dice);
        let more = match dice.below(20) {
            0..=2 => vec![manage(dice).by(if dice.percent(70) { as_root() } else { caller.clone() })],
            3 => vec![authenticate(dice.pick(&USERS), dice.pick(&PASSWORDS))],
            4 => watch(dice, &caller),
            5 if dice.percent(20) => vec![on().by(caller)],
            6 if dice.percent(10) => vec![off().by(caller)],
            _ => calls(dice).into_iter().map(|step| speaks(dice, step, &caller)).collect(),
        };
        steps.extend(more);
    }
    steps.push(authenticate("root", "secret"));
    steps.push(off().by(as_root()));
    steps.push(off());
    steps
}

fn user_add_plain(name: &str) -> Step {
    let request =
        pb::AuthUserAddRequest { name: name.to_owned(), password: "secret".to_owned(), ..Default::default() };
    Step::unary("/etcdserverpb.Auth/UserAdd", &request)
}

fn watch(dice: &mut Dice, caller: &Caller) -> Vec<Step> {
    let (key, range_end): (Bytes, Bytes) = dice.interval();
    let create = pb::WatchCreateRequest { key, range_end, ..Default::default() };
    let request = pb::WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) };
    vec![
        Step::watch(STREAM, &request).by(caller.clone()),
        Step::new(Action::Unwatch { stream: STREAM }).by(caller.clone()),
    ]
}

//! Users, roles and permissions change through the log. Who asked stands in the entry's header, so every member
//! decides alike. Source: contract-semantics 11, contract-api 6.
use super::{Event, Refused, State, Verdict};
use crate::{
    Refusal, Reply,
    auth::{Principal, ROOT, TokenChange, base64},
};
use alloc::{format, string::String, vec::Vec};
use bytes::Bytes;
use detcd_proto::{
    authpb::{Permission, permission},
    etcdserverpb::{
        AuthDisableResponse, AuthEnableResponse, AuthRoleAddResponse, AuthRoleDeleteResponse,
        AuthRoleGetResponse, AuthRoleGrantPermissionResponse, AuthRoleListResponse,
        AuthRoleRevokePermissionResponse, AuthStatusResponse, AuthUserAddRequest, AuthUserAddResponse,
        AuthUserChangePasswordRequest, AuthUserChangePasswordResponse, AuthUserDeleteResponse,
        AuthUserGetResponse, AuthUserGrantRoleResponse, AuthUserListResponse, AuthUserRevokeRoleResponse,
        AuthenticateResponse, InternalAuthenticateRequest, InternalRaftRequest,
    },
};

impl State {
    /// What an entry asks about users and roles; one that asks nothing of the kind is not built.
    pub(super) fn auth(&mut self, index: u64, who: &Principal, request: InternalRaftRequest) -> Verdict {
        let header = self.header();
        let table = &mut self.auth;
        if let Some(request) = request.authenticate {
            return self.authenticate(index, *request);
        }
        if let Some(request) = request.auth_user_get {
            table.permit_user_get(who, &request.name)?;
            let roles = table.user(&request.name).ok_or(Refusal::UserNotFound)?.roles().to_vec();
            return plain(Reply::UserGet(AuthUserGetResponse { header, roles }));
        }
        if let Some(request) = request.auth_role_get {
            table.permit_role_get(who, &request.role)?;
            let role = table.role(&request.role).ok_or(Refusal::RoleNotFound)?;
            let perm = if request.role == ROOT { [everything()].into() } else { role.permissions().to_vec() };
            return plain(Reply::RoleGet(AuthRoleGetResponse { header, perm }));
        }
        if !changes_auth(&request) {
            return Err(Refusal::NotBuilt("this kind of request"))?;
        }
        table.permit_admin(who)?;
        if request.auth_enable.is_some() {
            table.enable()?;
            plain(Reply::AuthEnable(AuthEnableResponse { header }))
        } else if request.auth_disable.is_some() {
            let event = if table.disable() { Event::Tokens(TokenChange::AllDropped) } else { Event::None };
            Ok((Reply::AuthDisable(AuthDisableResponse { header }), event))
        } else if request.auth_status.is_some() {
            let (enabled, auth_revision) = (table.is_enabled(), table.revision());
            plain(Reply::AuthStatus(AuthStatusResponse { header, enabled, auth_revision }))
        } else if let Some(request) = request.auth_user_add {
            self.add_user(*request)
        } else if let Some(request) = request.auth_user_delete {
            table.delete_user(&request.name)?;
            let event = Event::Tokens(TokenChange::Dropped { user: request.name });
            Ok((Reply::UserDelete(AuthUserDeleteResponse { header }), event))
        } else if let Some(request) = request.auth_user_change_password {
            self.change_password(*request)
        } else if let Some(request) = request.auth_user_grant_role {
            table.grant_role(&request.user, &request.role)?;
            plain(Reply::UserGrantRole(AuthUserGrantRoleResponse { header }))
        } else if let Some(request) = request.auth_user_revoke_role {
            table.revoke_role(&request.name, &request.role)?;
            plain(Reply::UserRevokeRole(AuthUserRevokeRoleResponse { header }))
        } else if request.auth_user_list.is_some() {
            let users = names(table.users().map(|(name, _)| name));
            plain(Reply::UserList(AuthUserListResponse { header, users }))
        } else if let Some(request) = request.auth_role_add {
            table.add_role(&request.name)?;
            plain(Reply::RoleAdd(AuthRoleAddResponse { header }))
        } else if let Some(request) = request.auth_role_delete {
            table.delete_role(&request.role)?;
            plain(Reply::RoleDelete(AuthRoleDeleteResponse { header }))
        } else if let Some(request) = request.auth_role_grant_permission {
            table.grant_permission(&request.name, request.perm)?;
            plain(Reply::RoleGrantPermission(AuthRoleGrantPermissionResponse { header }))
        } else if let Some(request) = request.auth_role_revoke_permission {
            table.revoke_permission(&request.role, &request.key, &request.range_end)?;
            plain(Reply::RoleRevokePermission(AuthRoleRevokePermissionResponse { header }))
        } else {
            let roles = names(table.roles().map(|(name, _)| name));
            plain(Reply::RoleList(AuthRoleListResponse { header, roles }))
        }
    }

    /// The password was checked by whoever proposed it. The token is named after this entry, so it is unlike all others.
    fn authenticate(&mut self, index: u64, request: InternalAuthenticateRequest) -> Verdict {
        if !self.auth.is_enabled() {
            return Err(Refusal::AuthNotEnabled)?;
        }
        let user = self.auth.user(&request.name).ok_or(Refusal::AuthFailed)?;
        if user.has_no_password() {
            return Err(Refusal::AuthFailed)?;
        }
        let header = self.header();
        if request.simple_token.is_empty() {
            // Members whose tokens carry their own proof make them without the log.
            return plain(Reply::Authenticate(AuthenticateResponse { header, token: String::new() }));
        }
        let token = format!("{}.{index}", request.simple_token);
        let event = Event::Tokens(TokenChange::Assigned { token: token.clone(), user: request.name });
        Ok((Reply::Authenticate(AuthenticateResponse { header, token }), event))
    }

    fn add_user(&mut self, request: AuthUserAddRequest) -> Verdict {
        self.auth.require_new_user(&request.name)?;
        let has_none = request.options.is_some_and(|options| options.no_password);
        let password =
            if has_none { Bytes::new() } else { password_hash(&request.password, &request.hashed_password)? };
        self.auth.add_user(&request.name, password, request.options)?;
        plain(Reply::UserAdd(AuthUserAddResponse { header: self.header() }))
    }

    fn change_password(&mut self, request: AuthUserChangePasswordRequest) -> Verdict {
        let user = self.auth.user(&request.name).ok_or(Refusal::UserNotFound)?;
        let password = if user.has_no_password() {
            Bytes::new()
        } else {
            password_hash(&request.password, &request.hashed_password)?
        };
        self.auth.change_password(&request.name, password)?;
        let reply = AuthUserChangePasswordResponse { header: self.header() };
        Ok((Reply::UserChangePassword(reply), Event::Tokens(TokenChange::Dropped { user: request.name })))
    }
}

fn plain(reply: Reply) -> Verdict {
    Ok((reply, Event::None))
}

/// Only those that need the role `root` are left to ask about; lists and the status are among them.
fn changes_auth(request: &InternalRaftRequest) -> bool {
    request.auth_enable.is_some()
        || request.auth_disable.is_some()
        || request.auth_status.is_some()
        || request.auth_user_add.is_some()
        || request.auth_user_delete.is_some()
        || request.auth_user_change_password.is_some()
        || request.auth_user_grant_role.is_some()
        || request.auth_user_revoke_role.is_some()
        || request.auth_user_list.is_some()
        || request.auth_role_list.is_some()
        || request.auth_role_add.is_some()
        || request.auth_role_delete.is_some()
        || request.auth_role_grant_permission.is_some()
        || request.auth_role_revoke_permission.is_some()
}

fn names<'a>(names: impl Iterator<Item = &'a Bytes>) -> Vec<String> {
    names.map(|name| String::from_utf8_lossy(name).into_owned()).collect()
}

/// The hash as it travels: base64 of its text form.
fn password_hash(clear: &str, hashed: &str) -> Result<Bytes, Refused> {
    if !clear.is_empty() && hashed.is_empty() {
        // Each member would have to hash it with a salt of its own.
        Err(Refusal::NotBuilt("a clear password in the log, as etcd 3.4 and before wrote it"))?;
    }
    Ok(base64::decode(hashed).ok_or(Refusal::NoPasswordUser)?.into())
}

/// What the role `root` may do, whatever was granted to it.
fn everything() -> Permission {
    Permission {
        perm_type: permission::Type::Readwrite.into(),
        key: Bytes::new(),
        range_end: Bytes::from_static(&[0]),
    }
}

//! The calls about users and roles. Lists and looks may be repeated, changes are made once.

use detcd_proto::authpb::Permission;
use detcd_proto::etcdserverpb as pb;

use super::{Client, Fault, Retry};
use crate::ctl::range::KeySpan;

macro_rules! calls {
    ($($retry:ident $method:ident($($argument:ident: $type:ty),*) -> $response:ident: $request:expr;)*) => {
        impl Client {
            $(pub async fn $method(&mut self $(, $argument: $type)*) -> Result<pb::$response, Fault> {
                let request = $request;
                self.unary(Retry::$retry, request, async |link, request| link.auth().$method(request).await).await
            })*
        }
    };
}

calls! {
    Never auth_enable() -> AuthEnableResponse: pb::AuthEnableRequest {};
    Never auth_disable() -> AuthDisableResponse: pb::AuthDisableRequest {};
    Never auth_status() -> AuthStatusResponse: pb::AuthStatusRequest {};
    Never user_add(request: pb::AuthUserAddRequest) -> AuthUserAddResponse: request;
    Never user_change_password(request: pb::AuthUserChangePasswordRequest)
        -> AuthUserChangePasswordResponse: request;
    Never user_delete(name: &str) -> AuthUserDeleteResponse:
        pb::AuthUserDeleteRequest { name: name.to_owned() };
    Never user_grant_role(user: &str, role: &str) -> AuthUserGrantRoleResponse:
        pb::AuthUserGrantRoleRequest { user: user.to_owned(), role: role.to_owned() };
    Never user_revoke_role(name: &str, role: &str) -> AuthUserRevokeRoleResponse:
        pb::AuthUserRevokeRoleRequest { name: name.to_owned(), role: role.to_owned() };
    Read user_get(name: &str) -> AuthUserGetResponse: pb::AuthUserGetRequest { name: name.to_owned() };
    Read user_list() -> AuthUserListResponse: pb::AuthUserListRequest {};
    Never role_add(name: &str) -> AuthRoleAddResponse: pb::AuthRoleAddRequest { name: name.to_owned() };
    Never role_delete(role: &str) -> AuthRoleDeleteResponse:
        pb::AuthRoleDeleteRequest { role: role.to_owned() };
    Read role_get(role: &str) -> AuthRoleGetResponse: pb::AuthRoleGetRequest { role: role.to_owned() };
    Read role_list() -> AuthRoleListResponse: pb::AuthRoleListRequest {};
    Never role_grant_permission(role: &str, permission: Permission) -> AuthRoleGrantPermissionResponse:
        pb::AuthRoleGrantPermissionRequest { name: role.to_owned(), perm: Some(permission) };
    Never role_revoke_permission(role: &str, span: &KeySpan) -> AuthRoleRevokePermissionResponse:
        pb::AuthRoleRevokePermissionRequest {
            role: role.to_owned(),
            key: span.key.clone(),
            range_end: span.end.clone(),
        };
}

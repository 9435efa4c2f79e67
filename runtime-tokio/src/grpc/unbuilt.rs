//! Services of which nothing is there yet; they say so.
use super::{Api, status};
use crate::generated::etcdserverpb::auth_server::Auth;
use detcd_core::Refusal;
use detcd_proto::etcdserverpb::*;
use tonic::{Request, Response, Status};

macro_rules! unbuilt {
    ($service:ident: $($method:ident($request:ident) -> $response:ident = $name:literal;)*) => {
        #[tonic::async_trait]
        impl $service for Api {
            $(async fn $method(&self, _: Request<$request>) -> Result<Response<$response>, Status> {
                Err(status(Refusal::NotBuilt($name)))
            })*
        }
    };
}

unbuilt! { Auth:
    auth_enable(AuthEnableRequest) -> AuthEnableResponse = "Auth/AuthEnable";
    auth_disable(AuthDisableRequest) -> AuthDisableResponse = "Auth/AuthDisable";
    auth_status(AuthStatusRequest) -> AuthStatusResponse = "Auth/AuthStatus";
    authenticate(AuthenticateRequest) -> AuthenticateResponse = "Auth/Authenticate";
    user_add(AuthUserAddRequest) -> AuthUserAddResponse = "Auth/UserAdd";
    user_get(AuthUserGetRequest) -> AuthUserGetResponse = "Auth/UserGet";
    user_list(AuthUserListRequest) -> AuthUserListResponse = "Auth/UserList";
    user_delete(AuthUserDeleteRequest) -> AuthUserDeleteResponse = "Auth/UserDelete";
    user_change_password(AuthUserChangePasswordRequest) -> AuthUserChangePasswordResponse
        = "Auth/UserChangePassword";
    user_grant_role(AuthUserGrantRoleRequest) -> AuthUserGrantRoleResponse = "Auth/UserGrantRole";
    user_revoke_role(AuthUserRevokeRoleRequest) -> AuthUserRevokeRoleResponse = "Auth/UserRevokeRole";
    role_add(AuthRoleAddRequest) -> AuthRoleAddResponse = "Auth/RoleAdd";
    role_get(AuthRoleGetRequest) -> AuthRoleGetResponse = "Auth/RoleGet";
    role_list(AuthRoleListRequest) -> AuthRoleListResponse = "Auth/RoleList";
    role_delete(AuthRoleDeleteRequest) -> AuthRoleDeleteResponse = "Auth/RoleDelete";
    role_grant_permission(AuthRoleGrantPermissionRequest) -> AuthRoleGrantPermissionResponse
        = "Auth/RoleGrantPermission";
    role_revoke_permission(AuthRoleRevokePermissionRequest) -> AuthRoleRevokePermissionResponse
        = "Auth/RoleRevokePermission";
}

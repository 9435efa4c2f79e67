//! Users and roles, and how callers get a token. All of it goes through the log, questions too, so that they are answered
//! by whoever may ask them. Source: contract-semantics 11, contract-api 6.
use super::answer;
use crate::{Level, Node, Runtime};
use detcd_core::{
    Refusal,
    auth::{Principal, base64},
};
use detcd_proto::etcdserverpb::{
    AuthDisableRequest, AuthDisableResponse, AuthEnableRequest, AuthEnableResponse, AuthRoleAddRequest,
    AuthRoleAddResponse, AuthRoleDeleteRequest, AuthRoleDeleteResponse, AuthRoleGetRequest,
    AuthRoleGetResponse, AuthRoleGrantPermissionRequest, AuthRoleGrantPermissionResponse,
    AuthRoleListRequest, AuthRoleListResponse, AuthRoleRevokePermissionRequest,
    AuthRoleRevokePermissionResponse, AuthStatusRequest, AuthStatusResponse, AuthUserAddRequest,
    AuthUserAddResponse, AuthUserChangePasswordRequest, AuthUserChangePasswordResponse,
    AuthUserDeleteRequest, AuthUserDeleteResponse, AuthUserGetRequest, AuthUserGetResponse,
    AuthUserGrantRoleRequest, AuthUserGrantRoleResponse, AuthUserListRequest, AuthUserListResponse,
    AuthUserRevokeRoleRequest, AuthUserRevokeRoleResponse, AuthenticateRequest, AuthenticateResponse,
    InternalAuthenticateRequest, InternalRaftRequest,
};

/// bcrypt reads no more of a password.
const PASSWORD_BYTES_MAX: usize = 72;

macro_rules! through_the_log {
    ($($method:ident($arm:ident: $request:ident) -> $reply:ident($response:ident);)*) => {
        $(pub async fn $method(&self, request: $request) -> Result<$response, Refusal> {
            self.admit()?;
            let $arm = Some(Box::new(request));
            answer!(self.propose(InternalRaftRequest { $arm, ..Default::default() }).await, $reply)
        })*
    };
}

impl<R: Runtime> Node<R> {
    through_the_log! {
        auth_enable(auth_enable: AuthEnableRequest) -> AuthEnable(AuthEnableResponse);
        auth_disable(auth_disable: AuthDisableRequest) -> AuthDisable(AuthDisableResponse);
        auth_status(auth_status: AuthStatusRequest) -> AuthStatus(AuthStatusResponse);
        user_get(auth_user_get: AuthUserGetRequest) -> UserGet(AuthUserGetResponse);
        user_list(auth_user_list: AuthUserListRequest) -> UserList(AuthUserListResponse);
        user_delete(auth_user_delete: AuthUserDeleteRequest) -> UserDelete(AuthUserDeleteResponse);
        user_grant_role(auth_user_grant_role: AuthUserGrantRoleRequest)
            -> UserGrantRole(AuthUserGrantRoleResponse);
        user_revoke_role(auth_user_revoke_role: AuthUserRevokeRoleRequest)
            -> UserRevokeRole(AuthUserRevokeRoleResponse);
        role_add(auth_role_add: AuthRoleAddRequest) -> RoleAdd(AuthRoleAddResponse);
        role_get(auth_role_get: AuthRoleGetRequest) -> RoleGet(AuthRoleGetResponse);
        role_list(auth_role_list: AuthRoleListRequest) -> RoleList(AuthRoleListResponse);
        role_delete(auth_role_delete: AuthRoleDeleteRequest) -> RoleDelete(AuthRoleDeleteResponse);
        role_grant_permission(auth_role_grant_permission: AuthRoleGrantPermissionRequest)
            -> RoleGrantPermission(AuthRoleGrantPermissionResponse);
        role_revoke_permission(auth_role_revoke_permission: AuthRoleRevokePermissionRequest)
            -> RoleRevokePermission(AuthRoleRevokePermissionResponse);
    }

    /// The password enters the log as its hash, which is made here.
    pub async fn user_add(&self, mut request: AuthUserAddRequest) -> Result<AuthUserAddResponse, Refusal> {
        self.admit()?;
        let password = std::mem::take(&mut request.password);
        if !request.options.is_some_and(|options| options.no_password) {
            request.hashed_password = self.hashed(password).await?;
        }
        let auth_user_add = Some(Box::new(request));
        answer!(self.propose(InternalRaftRequest { auth_user_add, ..Default::default() }).await, UserAdd)
    }

    /// As [`Node::user_add`]; without a password the hash that the caller gives is taken.
    pub async fn user_change_password(
        &self,
        mut request: AuthUserChangePasswordRequest,
    ) -> Result<AuthUserChangePasswordResponse, Refusal> {
        self.admit()?;
        let password = std::mem::take(&mut request.password);
        if !password.is_empty() {
            request.hashed_password = self.hashed(password).await?;
        }
        let auth_user_change_password = Some(Box::new(request));
        let request = InternalRaftRequest { auth_user_change_password, ..Default::default() };
        answer!(self.propose(request).await, UserChangePassword)
    }

    async fn hashed(&self, password: String) -> Result<String, Refusal> {
        // Only who may set passwords makes this member work for them.
        self.require_admin().await?;
        if password.len() > PASSWORD_BYTES_MAX {
            return Err(Refusal::PasswordTooLong);
        }
        let hash = self.0.rt.hash_password(password, self.0.credentials.bcrypt_cost).await;
        Ok(base64::encode(hash.as_bytes()))
    }

    /// A token for whoever knows the password.
    pub async fn authenticate(&self, request: AuthenticateRequest) -> Result<AuthenticateResponse, Refusal> {
        self.admit()?;
        self.read_point().await?;
        let AuthenticateRequest { name, password } = request;
        loop {
            let revision = self.check_password(&name, &password).await?;
            let simple_token = self.0.credentials.token_prefix(|| self.0.rt.secret());
            let login =
                InternalAuthenticateRequest { name: name.clone(), password: String::new(), simple_token };
            let authenticate = Some(Box::new(login));
            let request = InternalRaftRequest { authenticate, ..Default::default() };
            let mut response = answer!(self.propose_as_nobody(request).await, Authenticate)?;
            // Else the password, or the user, may have been another by the time the entry was applied.
            if revision == self.latest().view.auth.revision() {
                let who = Principal { name, revision };
                response.token = self.0.credentials.finish(response.token, &who, self.wall_secs())?;
                return Ok(response);
            }
        }
    }

    /// The revision at which this was the user's password.
    async fn check_password(&self, name: &str, password: &str) -> Result<u64, Refusal> {
        let edition = self.latest();
        let auth = &edition.view.auth;
        if !auth.is_enabled() {
            return Err(Refusal::AuthNotEnabled);
        }
        let is_right = match auth.user(name) {
            None => false,
            Some(user) if user.has_no_password() => return Err(Refusal::NoPasswordUser),
            Some(user) => self.0.rt.check_password(password.to_string(), user.password_hash().clone()).await,
        };
        if is_right {
            return Ok(auth.revision());
        }
        self.0.rt.log(Level::Warn, format_args!("invalid authentication was requested user={name:?}"));
        Err(Refusal::AuthFailed)
    }
}

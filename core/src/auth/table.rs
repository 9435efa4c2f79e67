//! The replicated table of users and roles. Every change follows the order of checks that etcd's clients know, and
//! raises the revision if it changed something. Source: contract-semantics 11.1, 11.2, 11.7.
use super::{ROOT, ranges::Ranges};
use crate::{
    KeyRange, Refusal,
    store::tree::{Counted, Tree},
};
use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use bytes::Bytes;
use detcd_proto::authpb::{self, Permission, UserAddOptions, permission};

/// Cloning it shares everything.
#[derive(Clone, Debug)]
pub struct Table {
    is_enabled: bool,
    /// Whoever was identified under an earlier one must be identified again.
    revision: u64,
    users: Tree<Bytes, User>,
    roles: Tree<Bytes, Role>,
}

/// A user as etcd stores it; roles ascending.
#[derive(Clone, Debug, PartialEq)]
pub struct User(authpb::User);

/// A role as etcd stores it, and what follows from it.
#[derive(Clone, Debug, PartialEq)]
pub struct Role {
    record: authpb::Role,
    pub(super) read: Ranges,
    pub(super) write: Ranges,
}

impl Counted for User {}
impl Counted for Role {}

impl User {
    pub fn roles(&self) -> &[String] {
        &self.0.roles
    }

    pub fn is_root(&self) -> bool {
        self.place(ROOT).is_ok()
    }

    /// The bcrypt hash in its usual text form; empty if the user cannot log in by password.
    pub fn password_hash(&self) -> &Bytes {
        &self.0.password
    }

    /// Created to log in by certificate only.
    pub fn has_no_password(&self) -> bool {
        self.0.options.is_some_and(|options| options.no_password)
    }

    pub fn has_role(&self, role: &str) -> bool {
        self.place(role).is_ok()
    }

    /// As etcd stores it.
    pub fn record(&self) -> &authpb::User {
        &self.0
    }

    fn place(&self, role: &str) -> Result<usize, usize> {
        self.0.roles.binary_search_by(|held| held.as_str().cmp(role))
    }
}

impl Role {
    fn new(record: authpb::Role) -> Role {
        let of = |kind: permission::Type| {
            let both = permission::Type::Readwrite;
            let holds = move |permission: &&Permission| {
                permission.perm_type == i32::from(kind) || permission.perm_type == i32::from(both)
            };
            let range =
                |permission: &Permission| KeyRange::new(permission.key.clone(), permission.range_end.clone());
            Ranges::of(record.key_permission.iter().filter(holds).map(range))
        };
        let (read, write) = (of(permission::Type::Read), of(permission::Type::Write));
        Role { record, read, write }
    }

    /// As etcd stores it.
    pub fn record(&self) -> &authpb::Role {
        &self.record
    }

    /// Ascending by key.
    pub fn permissions(&self) -> &[Permission] {
        &self.record.key_permission
    }
}

impl Default for Table {
    fn default() -> Table {
        Table { is_enabled: false, revision: 1, users: Tree::new(), roles: Tree::new() }
    }
}

impl Table {
    /// As it was stored.
    pub fn restored(
        is_enabled: bool,
        revision: u64,
        users: impl IntoIterator<Item = authpb::User>,
        roles: impl IntoIterator<Item = authpb::Role>,
    ) -> Table {
        let user = |mut user: authpb::User| {
            user.roles.sort_unstable();
            (user.name.clone(), User(user))
        };
        let role = |mut role: authpb::Role| {
            role.key_permission.sort_by(|a, b| a.key.cmp(&b.key));
            (role.name.clone(), Role::new(role))
        };
        Table {
            is_enabled,
            revision,
            users: users.into_iter().map(user).collect(),
            roles: roles.into_iter().map(role).collect(),
        }
    }

    /// Everybody has to say who they are.
    pub fn is_enabled(&self) -> bool {
        self.is_enabled
    }

    pub fn revision(&self) -> u64 {
        self.revision
    }

    pub fn user(&self, name: &str) -> Option<&User> {
        self.users.get(name.as_bytes())
    }

    pub fn role(&self, name: &str) -> Option<&Role> {
        self.roles.get(name.as_bytes())
    }

    /// Ascending by name.
    pub fn users(&self) -> impl Iterator<Item = (&Bytes, &User)> {
        self.users.iter()
    }

    /// Ascending by name.
    pub fn roles(&self) -> impl Iterator<Item = (&Bytes, &Role)> {
        self.roles.iter()
    }

    fn raise(&mut self) {
        self.revision += 1;
    }

    /// Only with a planted bug: as if the last change had been read back twice.
    pub fn count_last_change_again(&mut self) {
        if self.is_enabled {
            self.raise();
        }
    }

    pub fn enable(&mut self) -> Result<(), Refusal> {
        if self.is_enabled {
            return Ok(());
        }
        let root = self.user(ROOT).ok_or(Refusal::RootUserNotExist)?;
        if !root.is_root() {
            return Err(Refusal::RootRoleNotExist);
        }
        self.is_enabled = true;
        Ok(())
    }

    /// Whether it was enabled.
    pub fn disable(&mut self) -> bool {
        let was_enabled = core::mem::take(&mut self.is_enabled);
        if was_enabled {
            self.raise();
        }
        was_enabled
    }

    /// `password`: the bcrypt hash.
    pub fn add_user(
        &mut self,
        name: &str,
        password: Bytes,
        options: Option<UserAddOptions>,
    ) -> Result<(), Refusal> {
        self.require_new_user(name)?;
        let name = Bytes::copy_from_slice(name.as_bytes());
        let options = Some(options.unwrap_or_default());
        let user = authpb::User { name: name.clone(), password, roles: Vec::new(), options };
        self.users.insert(name, User(user));
        self.raise();
        Ok(())
    }

    pub fn require_new_user(&self, name: &str) -> Result<(), Refusal> {
        if name.is_empty() {
            Err(Refusal::UserEmpty)
        } else if self.user(name).is_some() {
            Err(Refusal::UserAlreadyExist)
        } else {
            Ok(())
        }
    }

    pub fn delete_user(&mut self, name: &str) -> Result<(), Refusal> {
        if self.is_enabled && name == ROOT {
            return Err(Refusal::InvalidAuthMgmt);
        }
        self.users.remove(name.as_bytes()).ok_or(Refusal::UserNotFound)?;
        self.raise();
        Ok(())
    }

    /// `password`: the bcrypt hash; not looked at for a user that has none.
    pub fn change_password(&mut self, name: &str, password: Bytes) -> Result<(), Refusal> {
        let changed = self.users.edit(name.as_bytes(), |user| {
            user.0.password = if user.has_no_password() { Bytes::new() } else { password };
        });
        changed.ok_or(Refusal::UserNotFound)?;
        self.raise();
        Ok(())
    }

    /// That the user has the role already is no error and no change.
    pub fn grant_role(&mut self, name: &str, role: &str) -> Result<(), Refusal> {
        let user = self.user(name).ok_or(Refusal::UserNotFound)?;
        if role != ROOT && self.role(role).is_none() {
            return Err(Refusal::RoleNotFound);
        }
        if let Err(place) = user.place(role) {
            self.users.edit(name.as_bytes(), |user| user.0.roles.insert(place, role.to_string()));
            self.raise();
        }
        Ok(())
    }

    pub fn revoke_role(&mut self, name: &str, role: &str) -> Result<(), Refusal> {
        if self.is_enabled && name == ROOT && role == ROOT {
            return Err(Refusal::InvalidAuthMgmt);
        }
        let user = self.user(name).ok_or(Refusal::UserNotFound)?;
        let place = user.place(role).map_err(|_| Refusal::RoleNotGranted)?;
        self.users.edit(name.as_bytes(), |user| user.0.roles.remove(place));
        self.raise();
        Ok(())
    }

    pub fn add_role(&mut self, name: &str) -> Result<(), Refusal> {
        if name.is_empty() {
            return Err(Refusal::RoleEmpty);
        }
        if self.role(name).is_some() {
            return Err(Refusal::RoleAlreadyExist);
        }
        let name = Bytes::copy_from_slice(name.as_bytes());
        let record = authpb::Role { name: name.clone(), key_permission: Vec::new() };
        self.roles.insert(name, Role::new(record));
        self.raise();
        Ok(())
    }

    /// Takes it from all who have it.
    pub fn delete_role(&mut self, name: &str) -> Result<(), Refusal> {
        if self.is_enabled && name == ROOT {
            return Err(Refusal::InvalidAuthMgmt);
        }
        self.roles.remove(name.as_bytes()).ok_or(Refusal::RoleNotFound)?;
        let holders: Vec<Bytes> =
            self.users.iter().filter(|(_, user)| user.has_role(name)).map(|(name, _)| name.clone()).collect();
        for holder in holders {
            self.users.edit(&holder[..], |user| user.0.roles.retain(|role| role != name));
        }
        self.raise();
        Ok(())
    }

    /// A permission for the same interval takes the place of the one before, where etcd finds it: at the first
    /// permission with this key.
    pub fn grant_permission(&mut self, role: &str, permission: Option<Permission>) -> Result<(), Refusal> {
        let permission = permission.ok_or(Refusal::PermissionNotGiven)?;
        if permission.key.is_empty()
            || KeyRange::new(permission.key.clone(), permission.range_end.clone()).is_empty()
        {
            return Err(Refusal::InvalidAuthMgmt);
        }
        let role = self.role(role).ok_or(Refusal::RoleNotFound)?;
        let mut record = role.record.clone();
        let held = &mut record.key_permission;
        let first = held.partition_point(|other| other.key < permission.key);
        match held.get_mut(first) {
            Some(other) if other.key == permission.key && other.range_end == permission.range_end => {
                other.perm_type = permission.perm_type;
            }
            _ => {
                let behind = held.partition_point(|other| other.key <= permission.key);
                held.insert(behind, permission);
            }
        }
        self.replace_role(record);
        Ok(())
    }

    pub fn revoke_permission(&mut self, role: &str, key: &[u8], range_end: &[u8]) -> Result<(), Refusal> {
        let role = self.role(role).ok_or(Refusal::RoleNotFound)?;
        let mut record = role.record.clone();
        let before = record.key_permission.len();
        record.key_permission.retain(|held| held.key != key || held.range_end != range_end);
        if record.key_permission.len() == before {
            return Err(Refusal::PermissionNotGranted);
        }
        self.replace_role(record);
        Ok(())
    }

    fn replace_role(&mut self, record: authpb::Role) {
        self.roles.insert(record.name.clone(), Role::new(record));
        self.raise();
    }
}

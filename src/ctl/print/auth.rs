//! Users and roles in every format.

use std::fmt::Write as _;

use detcd_proto::Message as _;
use detcd_proto::authpb::{Permission, permission::Type};
use detcd_proto::etcdserverpb as pb;

use super::json::{Object, headed};
use super::{Unsupported, fields, simple};
use crate::ctl::go;
use crate::ctl::range::prefix_end;

/// What was asked or changed.
#[derive(Clone, Copy, Debug)]
pub enum AuthReply<'a> {
    /// A change; the sentence that says so.
    Done {
        header: Option<pb::ResponseHeader>,
        said: &'a str,
    },
    Status(&'a pb::AuthStatusResponse),
    User {
        name: &'a str,
        response: &'a pb::AuthUserGetResponse,
    },
    Users(&'a pb::AuthUserListResponse),
    Role {
        name: &'a str,
        response: &'a pb::AuthRoleGetResponse,
    },
    Roles(&'a pb::AuthRoleListResponse),
}

/// The keys of a permission, as people read them.
fn keys(permission: &Permission) -> Vec<u8> {
    let (key, end) = (&permission.key[..], &permission.range_end[..]);
    match end {
        [] => return key.to_vec(),
        [0] => [b"[", key, b", <open ended>"].concat(),
        _ => [b"[", key, b", ", end, b")"].concat(),
    }
    .into_iter()
    .chain(if !key.is_empty() && prefix_end(key) == end {
        [b" (prefix ", key, b")"].concat()
    } else {
        Vec::new()
    })
    .collect()
}

impl simple::Page {
    pub fn auth(&mut self, reply: AuthReply<'_>) {
        match reply {
            AuthReply::Done { said, .. } => self.line(format_args!("{said}")),
            AuthReply::Status(response) => {
                self.line(format_args!("Authentication Status: {}", response.enabled));
                self.line(format_args!("AuthRevision: {}", response.auth_revision));
            }
            AuthReply::User { name, response } => {
                self.line(format_args!("User: {name}"));
                let roles: String = response.roles.iter().map(|role| format!(" {role}")).collect();
                self.line(format_args!("Roles:{roles}"));
            }
            AuthReply::Users(response) => self.names(&response.users),
            AuthReply::Roles(response) => self.names(&response.roles),
            AuthReply::Role { name, response } => self.role(name, &response.perm),
        }
    }

    fn names(&mut self, names: &[String]) {
        for name in names {
            self.line(format_args!("{name}"));
        }
    }

    fn role(&mut self, name: &str, permissions: &[Permission]) {
        self.line(format_args!("Role {name}"));
        for (title, kind) in [("KV Read:", Type::Read), ("KV Write:", Type::Write)] {
            self.line(format_args!("{title}"));
            if name == "root" && permissions.is_empty() {
                self.line(format_args!("\t[, <open ended>"));
            }
            for permission in permissions {
                if [i32::from(kind), Type::Readwrite.into()].contains(&permission.perm_type) {
                    self.raw_line(&[b"\t", &keys(permission)[..]].concat());
                }
            }
        }
    }
}

impl fields::Page {
    /// etcdctl has this format for some of them only.
    pub fn auth(&mut self, reply: AuthReply<'_>) -> Result<(), Unsupported> {
        match reply {
            AuthReply::Done { header, .. } => self.header(&header),
            AuthReply::Role { response, .. } => {
                self.header(&response.header);
                for permission in &response.perm {
                    let kind = Type::try_from(permission.perm_type).map_or_else(
                        |_| permission.perm_type.to_string(),
                        |kind| kind.as_str_name().to_string(),
                    );
                    self.field("PermType", format_args!(" {kind}"));
                    self.quoted("Key", &permission.key);
                    self.quoted("RangeEnd", &permission.range_end);
                }
            }
            AuthReply::Roles(response) => {
                self.header(&response.header);
                let quoted = response.roles.iter().map(|role| go::quote(role.as_bytes()));
                let line = quoted.fold("\"Roles\" :".to_string(), |line, role| line + " " + &role);
                writeln!(self.out, "{line}").expect("writing to a String cannot fail");
            }
            AuthReply::Status(_) | AuthReply::User { .. } | AuthReply::Users(_) => {
                return Err(Unsupported("fields not supported as output format"));
            }
        }
        Ok(())
    }
}

pub fn json(o: &mut Object<'_>, reply: AuthReply<'_>) {
    match reply {
        AuthReply::Done { header, .. } => headed(o, header.as_ref()),
        AuthReply::Status(response) => {
            headed(o, response.header.as_ref());
            o.flag("enabled", response.enabled);
            o.number("authRevision", response.auth_revision);
        }
        AuthReply::User { response, .. } => {
            headed(o, response.header.as_ref());
            o.texts("roles", &response.roles);
        }
        AuthReply::Users(response) => {
            headed(o, response.header.as_ref());
            o.texts("users", &response.users);
        }
        AuthReply::Roles(response) => {
            headed(o, response.header.as_ref());
            o.texts("roles", &response.roles);
        }
        AuthReply::Role { response, .. } => {
            headed(o, response.header.as_ref());
            o.list("perm", &response.perm, |o, permission| {
                o.number("permType", permission.perm_type);
                o.bytes("key", &permission.key);
                o.bytes("range_end", &permission.range_end);
            });
        }
    }
}

pub fn protobuf(reply: AuthReply<'_>) -> Vec<u8> {
    match reply {
        // All answers that have nothing but a header are written alike.
        AuthReply::Done { header, .. } => pb::AuthUserAddResponse { header }.encode_to_vec(),
        AuthReply::Status(response) => response.encode_to_vec(),
        AuthReply::User { response, .. } => response.encode_to_vec(),
        AuthReply::Users(response) => response.encode_to_vec(),
        AuthReply::Role { response, .. } => response.encode_to_vec(),
        AuthReply::Roles(response) => response.encode_to_vec(),
    }
}

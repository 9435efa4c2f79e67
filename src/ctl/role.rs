//! `role`: what users may do, by role.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use bytes::Bytes;
use clap::{Args, Subcommand};
use detcd_proto::authpb::{Permission, permission::Type};

use super::cli::Context;
use super::exit::Exit;
use super::print::{AuthReply, Reply};
use super::range::KeySpan;
use super::user::{Words, done, open, words};

/// Adds, changes and removes roles
#[derive(Debug, Subcommand)]
pub enum RoleCommand {
    /// Adds a role that may do nothing yet
    #[command(override_usage = "etcdctl role add <role>")]
    Add(Words),
    /// Removes a role, and takes it from all users
    #[command(override_usage = "etcdctl role delete <role>")]
    Delete(Words),
    /// Shows what a role permits
    #[command(override_usage = "etcdctl role get <role>")]
    Get(Words),
    /// Lists all roles
    List(Words),
    /// Permits a role to read or write keys
    #[command(
        override_usage = "etcdctl role grant-permission [options] <role> <read|write|readwrite> <key> [endkey]"
    )]
    GrantPermission(KeyArgs),
    /// Takes a permission from a role
    #[command(override_usage = "etcdctl role revoke-permission [options] <role> <key> [endkey]")]
    RevokePermission(KeyArgs),
    #[command(external_subcommand)]
    #[expect(dead_code, reason = "clap wants a place for the words")]
    Unknown(Vec<OsString>),
}

#[derive(Args, Debug)]
pub struct KeyArgs {
    #[arg(hide = true)]
    words: Vec<OsString>,
    /// All keys that start with the key; the empty key means all keys
    #[arg(long)]
    prefix: bool,
    /// All keys from the key on
    #[arg(long)]
    from_key: bool,
}

impl RoleCommand {
    pub async fn run(self, context: &Context) -> Result<(), Exit> {
        let needs = |what: &str| Exit::bad_args(format!("role {what} as its argument"));
        match self {
            RoleCommand::Add(args) => {
                let [role] = words(args.words, || needs("add command requires role name"))?;
                let (settings, mut client) = open(context).await?;
                let header = client.role_add(&role).await?.header;
                done(&settings, header, &format!("Role {role} created"))
            }
            RoleCommand::Delete(args) => {
                let [role] = words(args.words, || needs("delete command requires role name"))?;
                let (settings, mut client) = open(context).await?;
                let header = client.role_delete(&role).await?.header;
                done(&settings, header, &format!("Role {role} deleted"))
            }
            RoleCommand::Get(args) => {
                let [name] = words(args.words, || needs("get command requires role name"))?;
                let (settings, mut client) = open(context).await?;
                let response = client.role_get(&name).await?;
                settings.printer.print(Reply::Auth(AuthReply::Role { name: &name, response: &response }))
            }
            RoleCommand::List(args) => {
                let [] = words(args.words, || Exit::bad_args("role list command requires no arguments"))?;
                let (settings, mut client) = open(context).await?;
                let response = client.role_list().await?;
                settings.printer.print(Reply::Auth(AuthReply::Roles(&response)))
            }
            RoleCommand::GrantPermission(args) => grant(context, args).await,
            RoleCommand::RevokePermission(args) => revoke(context, args).await,
            RoleCommand::Unknown(_) => context.show_help("role"),
        }
    }
}

async fn grant(context: &Context, args: KeyArgs) -> Result<(), Exit> {
    let needs = "role grant command requires role name, permission type, and key [endkey] as its argument";
    let [role, kind, ..] = args.words.as_slice() else { return Err(Exit::bad_args(needs)) };
    let role = role.to_string_lossy().into_owned();
    let keys = args.words.get(2..).filter(|keys| !keys.is_empty()).ok_or_else(|| Exit::bad_args(needs))?;
    let kind = kind.to_string_lossy();
    let perm_type = Type::from_str_name(&kind.to_uppercase())
        .ok_or_else(|| Exit::bad_args(format!("invalid permission type: {kind}")))?;
    let KeySpan { key, end } = span(keys, args.prefix, args.from_key)?;
    let (settings, mut client) = open(context).await?;
    let permission = Permission { perm_type: perm_type.into(), key, range_end: end };
    let header = client.role_grant_permission(&role, permission).await?.header;
    done(&settings, header, &format!("Role {role} updated"))
}

async fn revoke(context: &Context, args: KeyArgs) -> Result<(), Exit> {
    let needs = "role revoke-permission command requires role name and key [endkey] as its argument";
    let [role, keys @ ..] = args.words.as_slice() else { return Err(Exit::bad_args(needs)) };
    let Some(word) = keys.first() else { return Err(Exit::bad_args(needs)) };
    let (role, word) = (role.to_string_lossy(), word.to_string_lossy());
    let span = span(keys, args.prefix, args.from_key)?;
    let (settings, mut client) = open(context).await?;
    let header = client.role_revoke_permission(&role, &span).await?.header;
    let end = String::from_utf8_lossy(&span.end);
    let said = match &span.end[..] {
        [] => format!("Permission of key {word} is revoked from role {role}"),
        [0] => format!("Permission of range [{word}, <open ended> is revoked from role {role}"),
        _ => format!("Permission of range [{word}, {end}) is revoked from role {role}"),
    };
    done(&settings, header, &said)
}

/// The interval of a permission. The empty key means the smallest one, alone or with all behind it.
fn span(words: &[OsString], prefix: bool, from_key: bool) -> Result<KeySpan, Exit> {
    let bytes = |word: &OsString| Bytes::from(word.clone().into_vec());
    let (key, end) = (words.first().map(bytes).unwrap_or_default(), words.get(1).map(bytes));
    let both = "--from-key and --prefix flags are mutually exclusive";
    let refuse = |why: &str| Err(Exit::bad_args(why));
    match (key.is_empty(), end) {
        (_, None) | (true, Some(_)) if prefix && from_key => refuse(both),
        (true, _) if prefix || from_key => Ok(KeySpan::from_key(key)),
        (true, _) => Ok(KeySpan::between(Bytes::from_static(b"\0"), None)),
        (false, Some(_)) if prefix => refuse("unexpected endkey argument with --prefix flag"),
        (false, Some(_)) if from_key => refuse("unexpected endkey argument with --from-key flag"),
        (false, end) => KeySpan::chosen(key, end, prefix, from_key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[&str], prefix: bool, from_key: bool) -> Result<(Vec<u8>, Vec<u8>), Exit> {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        span(&words, prefix, from_key).map(|span| (span.key.to_vec(), span.end.to_vec()))
    }

    #[test]
    fn permissions_name_their_keys() {
        let pair = |key: &str, end: &str| Ok((key.as_bytes().to_vec(), end.as_bytes().to_vec()));
        assert_eq!(of(&["a"], false, false), pair("a", ""));
        assert_eq!(of(&["a", "c"], false, false), pair("a", "c"));
        assert_eq!(of(&["a"], true, false), pair("a", "b"));
        assert_eq!(of(&["a"], false, true), pair("a", "\0"));
        assert_eq!(of(&[""], false, false), pair("\0", ""));
        assert_eq!(of(&["", "x"], true, false), pair("\0", "\0"));
        assert_eq!(of(&[""], false, true), pair("\0", "\0"));
        let both = Exit::bad_args("--from-key and --prefix flags are mutually exclusive");
        assert_eq!(of(&["a"], true, true), Err(both));
        let end = Exit::bad_args("unexpected endkey argument with --prefix flag");
        assert_eq!(of(&["a", "b"], true, true), Err(end));
        let end = Exit::bad_args("unexpected endkey argument with --from-key flag");
        assert_eq!(of(&["a", "b"], false, true), Err(end));
    }
}

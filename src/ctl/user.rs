//! `user`: who there is, their passwords and roles.

use std::ffi::OsString;

use clap::{Args, Subcommand};
use detcd_proto::authpb::UserAddOptions;
use detcd_proto::etcdserverpb::{AuthUserAddRequest, AuthUserChangePasswordRequest};

use super::cli::Context;
use super::client::{Client, Patience};
use super::exit::Exit;
use super::globals::Settings;
use super::password;
use super::print::{self, AuthReply, Reply};

/// Adds, changes and removes users
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    Add(AddArgs),
    /// Removes a user
    #[command(override_usage = "etcdctl user delete <user>")]
    Delete(Words),
    Get(GetArgs),
    /// Lists all users
    List(Words),
    Passwd(PasswdArgs),
    /// Gives a role to a user
    #[command(override_usage = "etcdctl user grant-role <user> <role>")]
    GrantRole(Words),
    /// Takes a role from a user
    #[command(override_usage = "etcdctl user revoke-role <user> <role>")]
    RevokeRole(Words),
    #[command(external_subcommand)]
    #[expect(dead_code, reason = "clap wants a place for the words")]
    Unknown(Vec<OsString>),
}

#[derive(Args, Debug)]
pub struct Words {
    #[arg(hide = true)]
    pub words: Vec<OsString>,
}

/// Adds a user
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl user add [options] <user or user:password>")]
pub struct AddArgs {
    #[arg(hide = true)]
    words: Vec<OsString>,
    /// Ask for the password twice; false takes it from a line of standard input
    #[arg(long, default_value = "true")]
    interactive: bool,
    /// The password
    #[arg(long, default_value = "", value_name = "PASSWORD")]
    new_user_password: String,
    /// The user logs in by certificate only
    #[arg(long)]
    no_password: bool,
}

/// Shows the roles of a user
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl user get [options] <user>")]
pub struct GetArgs {
    #[arg(hide = true)]
    words: Vec<OsString>,
    /// Show what the roles permit
    #[arg(long)]
    detail: bool,
}

/// Changes the password of a user
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl user passwd [options] <user>")]
pub struct PasswdArgs {
    #[arg(hide = true)]
    words: Vec<OsString>,
    /// Ask for the password twice; false takes it from a line of standard input
    #[arg(long, default_value = "true")]
    interactive: bool,
}

impl UserCommand {
    pub async fn run(self, context: &Context) -> Result<(), Exit> {
        let needs = |what: &str| Exit::bad_args(format!("user {what} as its argument"));
        match self {
            UserCommand::Add(args) => add(context, args).await,
            UserCommand::Delete(args) => {
                let [name] = words(args.words, || needs("delete command requires user name"))?;
                let (settings, mut client) = open(context).await?;
                let header = client.user_delete(&name).await?.header;
                done(&settings, header, &format!("User {name} deleted"))
            }
            UserCommand::Get(args) => get(context, args).await,
            UserCommand::List(args) => {
                let [] = words(args.words, || Exit::bad_args("user list command requires no arguments"))?;
                let (settings, mut client) = open(context).await?;
                let response = client.user_list().await?;
                settings.printer.print(Reply::Auth(AuthReply::Users(&response)))
            }
            UserCommand::Passwd(args) => {
                let [name] = words(args.words, || needs("passwd command requires user name"))?;
                let password = new_password(&name, args.interactive)?;
                let (settings, mut client) = open(context).await?;
                let request = AuthUserChangePasswordRequest { name, password, ..Default::default() };
                let header = client.user_change_password(request).await?.header;
                done(&settings, header, "Password updated")
            }
            UserCommand::GrantRole(args) => {
                let [user, role] =
                    words(args.words, || needs("grant command requires user name and role name"))?;
                let (settings, mut client) = open(context).await?;
                let header = client.user_grant_role(&user, &role).await?.header;
                done(&settings, header, &format!("Role {role} is granted to user {user}"))
            }
            UserCommand::RevokeRole(args) => {
                let [user, role] =
                    words(args.words, || needs("revoke-role requires user name and role name"))?;
                let (settings, mut client) = open(context).await?;
                let header = client.user_revoke_role(&user, &role).await?.header;
                done(&settings, header, &format!("Role {role} is revoked from user {user}"))
            }
            UserCommand::Unknown(_) => context.show_help("user"),
        }
    }
}

async fn add(context: &Context, args: AddArgs) -> Result<(), Exit> {
    let refusal = || Exit::bad_args("user add command requires user name as its argument");
    let [word] = words(args.words, refusal)?;
    let (name, password) = if args.no_password {
        (word, String::new())
    } else if !args.new_user_password.is_empty() {
        (word, args.new_user_password)
    } else {
        match word.split_once(':') {
            Some(("", _)) => return Err(Exit::bad_args("empty user name is not allowed")),
            Some((name, password)) => (name.to_owned(), password.to_owned()),
            None => {
                let password = new_password(&word, args.interactive)?;
                (word, password)
            }
        }
    };
    let (settings, mut client) = open(context).await?;
    let options = Some(UserAddOptions { no_password: args.no_password });
    let said = format!("User {name} created");
    let request = AuthUserAddRequest { name, password, options, ..Default::default() };
    let header = client.user_add(request).await?.header;
    done(&settings, header, &said)
}

async fn get(context: &Context, args: GetArgs) -> Result<(), Exit> {
    let refusal = || Exit::bad_args("user get command requires user name as its argument");
    let [name] = words(args.words, refusal)?;
    let (settings, mut client) = open(context).await?;
    let response = client.user_get(&name).await?;
    if !args.detail {
        return settings.printer.print(Reply::Auth(AuthReply::User { name: &name, response: &response }));
    }
    print::write_out(format!("User: {name}\n").as_bytes())?;
    for name in &response.roles {
        print::write_out(b"\n")?;
        let response = client.role_get(name).await?;
        settings.printer.print(Reply::Auth(AuthReply::Role { name, response: &response }))?;
    }
    Ok(())
}

fn new_password(user: &str, interactive: bool) -> Result<String, Exit> {
    if interactive { password::ask_for_new(user) } else { Ok(password::scan()?) }
}

/// Exactly so many words.
pub fn words<const N: usize>(
    words: Vec<OsString>,
    refusal: impl FnOnce() -> Exit,
) -> Result<[String; N], Exit> {
    let words: Vec<String> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    words.try_into().map_err(|_| refusal())
}

/// Users and roles are waited for until somebody answers.
pub async fn open(context: &Context) -> Result<(Settings, Client), Exit> {
    let settings = context.settle()?;
    let client = Client::open(&settings, Patience::Forever).await?;
    Ok((settings, client))
}

pub fn done(
    settings: &Settings,
    header: Option<detcd_proto::etcdserverpb::ResponseHeader>,
    said: &str,
) -> Result<(), Exit> {
    settings.printer.print(Reply::Auth(AuthReply::Done { header, said }))
}

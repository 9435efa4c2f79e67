//! `endpoint`: asks every endpoint by itself, not the cluster as a whole.

mod hash_kv;
mod health;
mod status;

use std::ffi::OsString;

use clap::{Args, Subcommand};
use detcd_proto::etcdserverpb::MemberListRequest;

use super::cli::Context;
use super::client::{Address, Client, Patience};
use super::exit::Exit;
use super::globals::Settings;

const AFTER_HELP: &str = "\
Examples:
  etcdctl endpoint health --cluster
  etcdctl endpoint status --cluster -w table
  etcdctl endpoint hashkv --cluster --rev 1000   equal on all members, or something is badly wrong";

/// Asks every endpoint by itself: is it well, how far is it
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct EndpointArgs {
    /// Ask all members of the cluster, not only those of --endpoints
    #[arg(long, global = true)]
    cluster: Option<bool>,
    #[command(subcommand)]
    command: Option<EndpointCommand>,
}

#[derive(Debug, Subcommand)]
enum EndpointCommand {
    Health(health::HealthArgs),
    Status(status::StatusArgs),
    Hashkv(hash_kv::HashKvArgs),
    #[command(external_subcommand)]
    #[expect(dead_code, reason = "clap wants a place for the words")]
    Unknown(Vec<OsString>),
}

impl EndpointArgs {
    pub async fn run(self, context: &Context) -> Result<(), Exit> {
        let Some(command) = self.command else { return context.show_help("endpoint") };
        if matches!(command, EndpointCommand::Unknown(_)) {
            return context.show_help("endpoint");
        }
        let settings = context.settle()?;
        let endpoints = chosen(&settings, self.cluster).await?;
        match command {
            EndpointCommand::Health(_) => health::run(&settings, endpoints).await,
            EndpointCommand::Status(_) => status::run(&settings, endpoints).await,
            EndpointCommand::Hashkv(args) => args.run(&settings, endpoints).await,
            EndpointCommand::Unknown(_) => Ok(()),
        }
    }
}

/// Those of `--endpoints`, or with `--cluster` those of all members.
pub async fn chosen(settings: &Settings, cluster: Option<bool>) -> Result<Vec<String>, Exit> {
    if cluster.or(settings.cluster).unwrap_or(false) {
        members(settings).await
    } else {
        Ok(settings.endpoints.clone())
    }
}

/// The client URLs of all members.
async fn members(settings: &Settings) -> Result<Vec<String>, Exit> {
    let mut client = Client::open(settings, Patience::Command).await?;
    let response = client.member_list(MemberListRequest { linearizable: true }).await.map_err(|fault| {
        Exit::error(format!("failed to fetch endpoints from etcd cluster member list: {fault}"))
    })?;
    Ok(response.members.into_iter().flat_map(|member| member.client_urls).collect())
}

/// A client that talks to one endpoint only.
pub async fn open(settings: &Settings, endpoint: &str) -> Result<Client, Exit> {
    Client::open_at(&[Address::parse(endpoint)?], settings, Patience::Command).await
}

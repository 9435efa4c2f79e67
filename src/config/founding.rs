//! Who begins a new cluster. Source: contract-cli 4, contract-semantics 19.
use super::urls;
use detcd_core::{Member, MemberId};
use std::collections::BTreeMap;

/// The members of a new cluster, ascending by id, `name` among them with the URLs it makes known. Errors are etcd's.
pub fn members(
    name: &str,
    initial_cluster: &str,
    token: &str,
    advertise_peer_urls: &[String],
) -> Result<Vec<Member>, String> {
    let members = listed(name, initial_cluster, token)?;
    agrees(name, &members, advertise_peer_urls)?;
    Ok(members)
}

/// Those that `initial_cluster` lists, ascending by id, `name` among them.
pub fn listed(name: &str, initial_cluster: &str, token: &str) -> Result<Vec<Member>, String> {
    let mut by_name: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for part in initial_cluster.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (name, url) = part.split_once('=').unwrap_or((part, ""));
        by_name.entry(name).or_default().push(url);
    }
    if by_name.is_empty() {
        return Err("initial cluster unset and no discovery URL found".to_string());
    }
    let mut members = Vec::new();
    for (name, list) in &by_name {
        let peer_urls = urls::parse(&list.join(","))?;
        let id = MemberId::of_bootstrap(&peer_urls, token);
        let name = name.to_string();
        members.push(Member { id, name, peer_urls, client_urls: Vec::new(), is_learner: false });
    }
    let mut all: Vec<&String> = members.iter().flat_map(|member| &member.peer_urls).collect();
    all.sort();
    if all.windows(2).any(|pair| pair.first() == pair.last()) {
        return Err(format!("initial cluster {initial_cluster} has duplicate url"));
    }
    if members.iter().all(|member| member.name != name) {
        return Err(format!("couldn't find local name {name:?} in the initial cluster configuration"));
    }
    members.sort_by_key(|member| member.id);
    Ok(members)
}

/// Whether the list says of `name` what it says of itself.
pub fn agrees(name: &str, members: &[Member], advertise_peer_urls: &[String]) -> Result<(), String> {
    let me = members.iter().find(|member| member.name == name).expect("only lists with this member are made");
    if urls::same(&me.peer_urls, advertise_peer_urls) {
        return Ok(());
    }
    let named =
        |urls: &[String]| urls.iter().map(|url| format!("{name}={url}")).collect::<Vec<_>>().join(",");
    let (theirs, ours) = (named(&me.peer_urls), advertise_peer_urls.join(","));
    Err(match me.peer_urls.iter().all(|url| advertise_peer_urls.contains(url)) {
        true => {
            format!("--initial-advertise-peer-urls has {ours} but missing from --initial-cluster={theirs}")
        }
        false => {
            format!("--initial-cluster has {theirs} but missing from --initial-advertise-peer-urls={ours}")
        }
    })
}

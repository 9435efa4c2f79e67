//! Joining a cluster that there is: who this member is in it, and whether that fits what it was told. Errors are
//! etcd's. Source: contract-semantics 19.
use super::{Settings, urls};
use detcd_core::{
    ClusterId, Member, MemberId,
    version::{CLUSTER_MIN, SERVER, Version},
};
use detcd_runtime_tokio::net::{self, Remote};
use std::time::Duration;

impl Settings {
    /// Asks the others who this member is, if they exist already; nothing for a member of a new cluster. Without a log a
    /// member knows nothing of what it promised in an earlier life, so a new cluster that knows it is no place for it.
    pub async fn identity(&self, patience: Duration) -> Result<Option<(MemberId, ClusterId)>, String> {
        if self.initial_cluster_is_new {
            let listed = self.bootstrap()?;
            let me = listed.iter().find(|member| member.name == self.name);
            let me = me.expect("bootstrap made sure that this member is listed").id;
            let remote = net::cluster_at(&self.others(&listed), patience).await;
            let is_known = |member: &Member| member.id == me && !member.client_urls.is_empty();
            return match remote {
                Ok(remote) if remote.members.iter().any(is_known) => {
                    Err(format!("member {me} has already been bootstrapped"))
                }
                _ => Ok(None),
            };
        }
        let listed = self.listed()?;
        let remote = net::cluster_at(&self.others(&listed), patience).await;
        let remote = remote.map_err(|why| format!("cannot fetch cluster info from peer urls: {why}"))?;
        let me = self
            .place_in(&listed, &remote)
            .map_err(|why| format!("error validating peerURLs {}: {why}", told(&remote)))?;
        let others: Vec<Member> = remote.members.iter().filter(|member| member.id != me).cloned().collect();
        if !are_compatible(&net::cluster_versions(&others, patience).await) {
            return Err("incompatible with current running cluster".to_string());
        }
        let learners = remote.members.iter().filter(|member| member.is_learner).count() as u64;
        if learners > self.max_learners {
            return Err("membership: too many learner members in cluster".to_string());
        }
        Ok(Some((me, remote.cluster)))
    }

    /// The peer URLs of everybody else.
    fn others(&self, listed: &[Member]) -> Vec<String> {
        let others = listed.iter().filter(|member| member.name != self.name);
        others.flat_map(|member| member.peer_urls.iter().cloned()).collect()
    }

    /// The id of this member in the cluster, whose members must be those that are listed here, by their URLs.
    fn place_in(&self, listed: &[Member], remote: &Remote) -> Result<MemberId, String> {
        if remote.members.len() != listed.len() {
            return Err("member count is unequal".to_string());
        }
        let mut me = None;
        for member in &remote.members {
            let Some(local) = listed.iter().find(|local| urls::same(&local.peer_urls, &member.peer_urls))
            else {
                let (id, urls) = (member.id, member.peer_urls.join(" "));
                return Err(format!(
                    "PeerURLs: no match found for existing member ({id}, [{urls}]), last resolver error (<nil>)"
                ));
            };
            if local.name == self.name {
                me = Some(member.id);
            }
        }
        // With as many on both sides somebody may still be matched twice.
        me.ok_or_else(|| format!("PeerURLs: no match found for local member {:?}", self.name))
    }
}

/// At least one member knows a version of the cluster, and this server can be part of every one that is known.
fn are_compatible(versions: &[String]) -> bool {
    let known: Vec<Version> = versions.iter().filter_map(|version| Version::parse(version)).collect();
    let step = |version: &Version| (version.major, version.minor);
    !known.is_empty()
        && known.iter().all(|version| (step(&CLUSTER_MIN)..=step(&SERVER)).contains(&step(version)))
}

/// A cluster as etcd's errors show it.
fn told(remote: &Remote) -> String {
    let member = |member: &Member| {
        format!(
            "&{{ID:{} RaftAttributes:{{PeerURLs:[{}] IsLearner:{}}} Attributes:{{Name:{} ClientURLs:[{}]}}}}",
            member.id,
            member.peer_urls.join(" "),
            member.is_learner,
            member.name,
            member.client_urls.join(" ")
        )
    };
    let members: Vec<String> = remote.members.iter().map(member).collect();
    format!("{{ClusterID:{} Members:[{}] RemovedMemberIDs:[]}}", remote.cluster, members.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{FLAGS, Values};

    fn settings(args: &[&str]) -> Settings {
        let args: Vec<String> = args.iter().map(ToString::to_string).collect();
        Settings::from_values(&Values::parse(FLAGS, &args).unwrap()).unwrap()
    }

    fn member(id: u64, port: u16) -> Member {
        Member {
            id: MemberId(id),
            name: String::new(),
            peer_urls: vec![format!("http://127.0.0.1:{port}")],
            client_urls: Vec::new(),
            is_learner: false,
        }
    }

    #[test]
    fn a_member_finds_itself_by_its_urls() {
        let settings = settings(&[
            "--name=b",
            "--initial-cluster-state=existing",
            "--initial-advertise-peer-urls=http://127.0.0.1:2",
            "--initial-cluster=a=http://127.0.0.1:1,b=http://127.0.0.1:2",
        ]);
        let listed = settings.listed().unwrap();
        let place =
            |members: Vec<Member>| settings.place_in(&listed, &Remote { cluster: ClusterId(7), members });
        assert_eq!(place(vec![member(10, 2), member(11, 1)]), Ok(MemberId(10)));
        assert_eq!(place(vec![member(10, 2)]), Err("member count is unequal".to_string()));
        let why = "PeerURLs: no match found for existing member (b, [http://127.0.0.1:9]), last resolver error (<nil>)";
        assert_eq!(place(vec![member(10, 2), member(11, 9)]), Err(why.to_string()));
        assert_eq!(settings.others(&listed), ["http://127.0.0.1:1"]);
    }

    #[test]
    fn a_cluster_is_told_as_etcd_tells_it() {
        let members =
            vec![Member { name: "a".into(), client_urls: vec!["http://c:1".into()], ..member(10, 1) }];
        assert_eq!(
            told(&Remote { cluster: ClusterId(7), members }),
            "{ClusterID:7 Members:[&{ID:a RaftAttributes:{PeerURLs:[http://127.0.0.1:1] IsLearner:false} \
             Attributes:{Name:a ClientURLs:[http://c:1]}}] RemovedMemberIDs:[]}"
        );
    }

    #[test]
    fn only_clusters_of_known_versions_are_joined() {
        let compatible =
            |versions: &[&str]| are_compatible(&versions.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert!(compatible(&["3.5.0", "not_decided"]));
        assert!(!compatible(&["not_decided"]) && !compatible(&[]));
        assert!(!compatible(&["3.5.0", "4.0.0"]));
    }
}

//! A member from its settings to its end: the pieces put together, and nothing decided.
use crate::config::{self, Settings};
use detcd_core::version;
use detcd_driver::Node;
use detcd_runtime_tokio::{
    Tokio,
    disk::DataDir,
    grpc::Services,
    http::{self, Metrics, Site},
    net,
    net::Net,
    stop::{self, Stop},
    threads::Reactors,
};
use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};
use tokio::{net::TcpSocket, task::JoinHandle};

/// How long calls that wait may take when the member stops.
const DRAIN_PATIENCE: Duration = Duration::from_secs(5);

/// Connections that wait to be accepted; the system's own limit may be lower.
const BACKLOG: u32 = 4096;

/// One running member.
pub struct Member {
    pub node: Node<Tokio>,
    /// Where clients are served.
    pub client_addresses: Vec<SocketAddr>,
    net: Net,
    stop: Stop,
    reactors: Arc<Reactors>,
    clients: Vec<JoinHandle<()>>,
}

/// Sockets that are bound and not yet served.
pub struct Listeners {
    pub peer: Vec<TcpListener>,
    pub client: Vec<TcpListener>,
    pub metrics: Vec<TcpListener>,
}

impl Listeners {
    pub fn bind(settings: &Settings, reactors: &Reactors) -> Result<Listeners, String> {
        let _inside = reactors.first().enter();
        let bind = |urls: &[String]| -> Result<Vec<TcpListener>, String> {
            let trouble = |error: io::Error| format!("cannot listen on {}: {error}", urls.join(","));
            let mut listeners = Vec::new();
            for address in config::addresses(urls).map_err(trouble)? {
                let listener = listen(address).map_err(|error| match error.kind() {
                    io::ErrorKind::AddrInUse => format!("listen tcp {address}: bind: address already in use"),
                    _ => format!("listen tcp {address}: {error}"),
                })?;
                listeners.push(listener);
            }
            Ok(listeners)
        };
        tracing::info!("listen-peer-urls" = ?settings.listen_peer_urls, "configuring peer listeners");
        let peer = bind(&settings.listen_peer_urls)?;
        tracing::info!("listen-client-urls" = ?settings.listen_client_urls, "configuring client listeners");
        let client = bind(&settings.listen_client_urls)?;
        let metrics = bind(&settings.listen_metrics_urls)?;
        Ok(Listeners { peer, client, metrics })
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A member that is started again does not wait for its old connections to be forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}

/// Starts a member. It serves its peers at once, and its clients as soon as it has published itself to the cluster
/// (see [`Member::serve_clients`]). Errors are for the operator.
pub async fn start(
    settings: &Settings,
    listeners: &Listeners,
    reactors: Arc<Reactors>,
) -> Result<Member, String> {
    let folder = &settings.data_dir;
    let disk = DataDir::open(folder).map_err(|error| error.to_string())?;
    let owner = detcd_driver::owner(&disk).await.map_err(|fault| fault.0)?;
    // etcd's: one second and an election timeout.
    let dial_patience = Duration::from_secs(1) + Duration::from_millis(settings.election_ms);
    let identity = match owner {
        Some(owner) => Some(owner),
        None => settings.identity(dial_patience).await?,
    };
    let config = settings.core_config(identity)?;
    let authentication = settings.authentication()?;
    tracing::info!(
        "etcd-version" = %version::SERVER,
        "detcd-version" = env!("CARGO_PKG_VERSION"),
        "member-initialized" = owner.is_some(),
        name = settings.name,
        "data-dir" = %folder.display(),
        "heartbeat-interval" = format!("{}ms", settings.heartbeat_ms),
        "election-timeout" = format!("{}ms", settings.election_ms),
        "snapshot-count" = config.snapshot_count,
        "snapshot-catchup-entries" = config.snapshot_catchup_entries,
        "initial-advertise-peer-urls" = ?settings.advertise_peer_urls,
        "listen-peer-urls" = ?settings.listen_peer_urls,
        "advertise-client-urls" = ?settings.advertise_client_urls,
        "listen-client-urls" = ?settings.listen_client_urls,
        "initial-cluster" = settings.initial_cluster,
        "initial-cluster-token" = settings.initial_cluster_token,
        "quota-backend-bytes" = settings.quota_backend_bytes,
        "max-request-bytes" = settings.max_request_bytes,
        "pre-vote" = settings.pre_vote,
        "starting an etcd server"
    );
    let identity = net::Identity {
        member: config.me.id,
        cluster: config.cluster_id,
        peer_urls: settings.advertise_peer_urls.clone(),
    };
    tracing::info!(
        "local-member-id" = %identity.member,
        "cluster-id" = %identity.cluster,
        "{}",
        if owner.is_some() { "restarting local member" } else { "starting local member" }
    );
    if settings.force_new_cluster && owner.is_some() {
        tracing::warn!("forced to go on as the only member of the cluster");
    }
    let net = Net::new(identity, dial_patience, reactors.first().clone());
    let runtime = Tokio::new(disk, net.clone(), reactors.clone());
    let node = detcd_driver::start_with(runtime, config, authentication).await.map_err(|fault| fault.0)?;

    let (stop, stopping) = stop::stop();
    for listener in &listeners.peer {
        let listener = asynchronous(listener, &reactors)?;
        tracing::info!(address = %address(&listener), "serving peer traffic");
        reactors.first().spawn(net::serve(listener, net.clone(), node.clone(), stopping.clone()));
    }
    let services = Services::new(node.clone(), stopping.clone(), settings.extensive_metrics);
    let kind = http::Kind::Clients { gateway: settings.enable_grpc_gateway };
    let metrics = Metrics::new(&services, net.clone()).map_err(|error| error.to_string())?;
    let metrics = Arc::new(metrics);
    let site = Site::new(services.clone(), settings.access.clone(), metrics.clone(), kind);
    let metrics_site = Site::new(services, settings.access.clone(), metrics, http::Kind::Metrics);
    let (mut clients, mut client_addresses) = (Vec::new(), Vec::new());
    for listener in &listeners.client {
        let listener = asynchronous(listener, &reactors)?;
        let address = address(&listener);
        client_addresses.push(address);
        let (node, site) = (node.clone(), site.clone());
        let (carriers, mut stopping) = (reactors.clone(), stopping.clone());
        let limits = settings.transport;
        clients.push(reactors.first().spawn(async move {
            tokio::select! {
                () = node.ready() => {}
                () = stopping.drained() => return,
            }
            tracing::info!("ready to serve client requests");
            tracing::info!(
                traffic = "grpc+http",
                address = %address,
                "serving client traffic insecurely; this is strongly discouraged!"
            );
            http::serve(listener, site, carriers, stopping, limits).await;
        }));
    }
    for listener in &listeners.metrics {
        let listener = asynchronous(listener, &reactors)?;
        tracing::info!(address = %address(&listener), "serving metrics");
        let (site, carriers) = (metrics_site.clone(), reactors.clone());
        let pages = http::serve(listener, site, carriers, stopping.clone(), settings.transport);
        clients.push(reactors.first().spawn(pages));
    }
    Ok(Member { node, client_addresses, net, stop, reactors, clients })
}

fn asynchronous(listener: &TcpListener, reactors: &Reactors) -> Result<tokio::net::TcpListener, String> {
    let _inside = reactors.first().enter();
    let listener = listener.try_clone().and_then(|listener| {
        listener.set_nonblocking(true)?;
        tokio::net::TcpListener::from_std(listener)
    });
    listener.map_err(|error| error.to_string())
}

fn address(listener: &tokio::net::TcpListener) -> SocketAddr {
    listener.local_addr().expect("a bound socket has an address")
}

impl Member {
    /// Waits until this member has told the cluster its name, and serves.
    pub async fn ready(&self) {
        self.node.ready().await;
    }

    /// Hands the lead over, finishes what waits, and ends: the log is on disk and every connection closed.
    pub async fn stop(self) {
        tracing::info!(name = self.node.config().me.name, "closing etcd server");
        // No new calls; those that wait are answered while the lead moves.
        self.stop.drain();
        self.node.stop().await;
        for clients in self.clients {
            // A caller who does not let go is cut off below.
            tokio::time::timeout(DRAIN_PATIENCE, clients).await.ok();
        }
        self.stop.cut();
        self.net.shutdown();
        tracing::info!(name = self.node.config().me.name, "closed etcd server");
        drop(self.reactors);
    }
}

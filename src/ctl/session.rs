//! A lease that lives as long as a command holds on to something: `lock` and `elect`. As in etcd's tools nobody revokes
//! it at the end; it runs out.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;

use super::client::{Client, Fault, Patience};
use super::exit::Exit;
use super::globals::Settings;
use super::lease;

pub struct Session {
    pub client: Client,
    pub lease: i64,
    renewing: JoinHandle<()>,
    interrupt: Signal,
    terminate: Signal,
}

impl Session {
    /// `ttl`: seconds. `refused`: what a command makes of no lease.
    pub async fn open(settings: &Settings, ttl: i64, refused: fn(Fault) -> Exit) -> Result<Session, Exit> {
        let interrupt = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        let mut client = Client::open(settings, Patience::Forever).await?;
        let lease = client.lease_grant(ttl).await.map_err(refused)?.id;
        let (renewer, dial_timeout) =
            (Client::open(settings, Patience::Forever).await?, settings.dial_timeout);
        let renewing = tokio::spawn(async move {
            // However it ends, the lease is no longer sure.
            lease::keep(renewer, lease, dial_timeout, |_| Ok(())).await.ok();
        });
        Ok(Session { client, lease, renewing, interrupt, terminate })
    }

    /// What the call comes to, unless somebody interrupts the command before.
    pub async fn unless_interrupted<T>(
        &mut self,
        call: impl AsyncFnOnce(&mut Client, i64) -> Result<T, Fault>,
    ) -> Result<T, String> {
        let Session { client, lease, interrupt, terminate, .. } = self;
        tokio::select! {
            biased;
            _ = interrupt.recv() => Err("context canceled".to_owned()),
            _ = terminate.recv() => Err("context canceled".to_owned()),
            answer = call(client, *lease) => answer.map_err(|fault| fault.to_string()),
        }
    }

    /// Waits for the command to be interrupted. False if the lease ended before.
    pub async fn hold(&mut self) -> bool {
        tokio::select! {
            _ = self.interrupt.recv() => true,
            _ = self.terminate.recv() => true,
            _ = &mut self.renewing => false,
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

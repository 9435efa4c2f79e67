//! Which methods the clients called, as the server itself counted them.

use std::collections::{BTreeMap, BTreeSet};

/// Reads `grpc_server_started_total` out of what `/metrics` says: calls by `service/method`. Those that were never made
/// are left out.
pub fn parse(metrics: &str) -> BTreeMap<String, u64> {
    metrics.lines().filter_map(line).filter(|(_, calls)| *calls > 0).collect()
}

fn line(text: &str) -> Option<(String, u64)> {
    let (labels, count) = text.strip_prefix("grpc_server_started_total{")?.rsplit_once("} ")?;
    let label = |name: &str| {
        labels.split(',').find_map(|pair| pair.strip_prefix(name)?.strip_prefix("=\"")?.strip_suffix('"'))
    };
    Some((format!("{}/{}", label("grpc_service")?, label("grpc_method")?), count.parse().ok()?))
}

/// Methods down, clients across.
pub fn table(clients: &[(&'static str, BTreeMap<String, u64>)]) -> String {
    let methods: BTreeSet<&String> = clients.iter().flat_map(|(_, calls)| calls.keys()).collect();
    let width = methods.iter().map(|method| method.len()).max().unwrap_or(0).max("CALLS".len());
    let wide = |client: &str| client.len().max(6);
    let heads: String = clients.iter().map(|(client, _)| format!("  {client:>0$}", wide(client))).collect();
    let mut rows = vec![format!("{:width$}{heads}", "CALLS")];
    for method in methods {
        let cells = clients.iter().map(|(client, calls)| {
            let cell = calls.get(method).map_or(String::new(), u64::to_string);
            format!("  {cell:>0$}", wide(client))
        });
        rows.push(format!("{method:width$}{}", cells.collect::<String>()).trim_end().to_owned());
    }
    rows.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_called_is_read_from_the_metrics_and_drawn() {
        let said = "HTTP/1.1 200 OK\n# TYPE grpc_server_started_total counter\n\
            grpc_server_started_total{grpc_method=\"Range\",grpc_service=\"etcdserverpb.KV\",grpc_type=\"unary\"} 12\n\
            grpc_server_started_total{grpc_method=\"Put\",grpc_service=\"etcdserverpb.KV\",grpc_type=\"unary\"} 0\n\
            grpc_server_handled_total{grpc_method=\"Put\",grpc_service=\"etcdserverpb.KV\"} 3\n";
        let calls = parse(said);
        assert_eq!(calls, BTreeMap::from([("etcdserverpb.KV/Range".to_owned(), 12)]));
        let drawn = table(&[("go", calls), ("etcd3gw", BTreeMap::new())]);
        assert_eq!(drawn, "CALLS                      go  etcd3gw\netcdserverpb.KV/Range      12");
    }
}

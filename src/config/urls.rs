//! URLs of members: how they are read, compared and bound. Source: contract-cli 4, contract-semantics 19.
use detcd_core::urls::BadUrl;
use std::{
    collections::BTreeSet,
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs as _},
};

/// URLs with commas between, sorted and each once.
pub fn parse(text: &str) -> Result<Vec<String>, String> {
    let mut urls = BTreeSet::new();
    for url in text.split(',').map(str::trim).filter(|url| !url.is_empty()) {
        let checked = detcd_core::urls::check(url);
        // A port is needed to listen and to dial, so it must be there, and be one.
        let has_port = url.starts_with("unix") || split(authority(url)).is_some();
        checked
            .and(if has_port { Ok(()) } else { Err(BadUrl::HostPort) })
            .map_err(|bad| format!("{bad}: {url}"))?;
        urls.insert(url.to_string());
    }
    if urls.is_empty() {
        return Err("no valid URLs given".to_string());
    }
    Ok(urls.into_iter().collect())
}

/// What stands between the scheme and the path.
pub fn authority(url: &str) -> &str {
    url.split_once("://").map_or(url, |(_, rest)| rest)
}

/// Host, without the brackets of an IPv6 address, and port.
pub fn split(authority: &str) -> Option<(&str, u16)> {
    let (host, port) = authority.rsplit_once(':')?;
    let host = match host.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']')?,
        None if host.contains(':') => return None,
        None => host,
    };
    Some((host, port.parse().ok()?))
}

/// Only plain HTTP is there so far.
pub fn require_http(urls: &[String]) -> Result<(), String> {
    match urls.iter().find(|url| !url.starts_with("http://")) {
        Some(url) => Err(format!("not built yet: {url} needs TLS or Unix sockets, only http:// is there")),
        None => Ok(()),
    }
}

/// Where to listen: an address, or `localhost`.
pub fn require_bindable(urls: &[String]) -> Result<(), String> {
    for url in urls {
        let (host, _) = split(authority(url)).expect("URLs were checked when they were read");
        if host != "localhost" && host.parse::<IpAddr>().is_err() {
            return Err(format!("expected IP in URL for binding ({url})"));
        }
    }
    Ok(())
}

/// The addresses to bind, each once; `localhost` is the first address that it stands for.
pub fn addresses(urls: &[String]) -> io::Result<Vec<SocketAddr>> {
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for url in urls {
        let mut found: Vec<SocketAddr> = authority(url).to_socket_addrs()?.collect();
        // As Go does, an IPv4 address is preferred.
        found.sort_by_key(SocketAddr::is_ipv6);
        if let Some(address) = found.first().filter(|address| !addresses.contains(address)) {
            addresses.push(*address);
        }
    }
    Ok(addresses)
}

/// Whether two lists of URLs lead to the same places; names are looked up only if the texts differ.
pub fn same(one: &[String], other: &[String]) -> bool {
    let places = |urls: &[String]| -> Option<BTreeSet<SocketAddr>> {
        let mut places = BTreeSet::new();
        for url in urls {
            places.extend(authority(url).to_socket_addrs().ok()?);
        }
        Some(places)
    };
    one == other
        || (one.len() == other.len() && places(one).is_some_and(|places_of| places(other) == Some(places_of)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_as_etcd_reads_them() {
        let parsed = parse("http://b:2,http://a:1, http://b:2").unwrap();
        assert_eq!(parsed, ["http://a:1", "http://b:2"]);
        for (bad, why) in [
            ("", "no valid URLs given"),
            ("a:1", "URL scheme must be http, https, unix, or unixs: a:1"),
            ("ftp://a:1", "URL scheme must be http, https, unix, or unixs: ftp://a:1"),
            ("http://a", "URL address does not have the form \"host:port\": http://a"),
            ("http://a:x", "URL address does not have the form \"host:port\": http://a:x"),
            ("http://::1:2", "URL address does not have the form \"host:port\": http://::1:2"),
            ("http://a:1/path", "URL must not contain a path: http://a:1/path"),
        ] {
            assert_eq!(parse(bad), Err(why.to_string()), "{bad}");
        }
        assert_eq!(split("[::1]:2379"), Some(("::1", 2379)));
    }

    #[test]
    fn only_addresses_and_localhost_can_be_bound() {
        let bindable = |url: &str| require_bindable(&[url.to_string()]);
        assert!(bindable("http://localhost:1").is_ok() && bindable("http://[::]:1").is_ok());
        let why = "expected IP in URL for binding (http://example.com:1)";
        assert_eq!(bindable("http://example.com:1"), Err(why.to_string()));
        let urls = parse("http://127.0.0.1:7,http://localhost:7").unwrap();
        assert_eq!(addresses(&urls).unwrap(), ["127.0.0.1:7".parse().unwrap()]);
    }

    #[test]
    fn a_name_and_its_address_are_the_same_place() {
        let of = |text| parse(text).unwrap();
        assert!(same(&of("http://127.0.0.1:1"), &of("http://127.0.0.1:1")));
        assert!(!same(&of("http://127.0.0.1:1"), &of("http://127.0.0.1:2")));
        assert!(!same(&of("http://127.0.0.1:1,http://127.0.0.1:2"), &of("http://127.0.0.1:1")));
        // Texts alone decide for names that lead nowhere.
        assert!(same(&of("http://no.such.host.invalid:1"), &of("http://no.such.host.invalid:1")));
    }
}

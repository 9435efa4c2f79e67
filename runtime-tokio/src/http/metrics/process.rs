//! What the system knows about this process. What it does not tell is left out.
use super::family::Families;
use procfs::{
    boot_time_secs, page_size,
    process::{LimitValue, Process},
    ticks_per_second,
};
use std::{fs, io};

/// When this process was started, in seconds since the Unix epoch; 0 if the system does not tell.
pub fn started() -> f64 {
    let told = || {
        let ticks = Process::myself().ok()?.stat().ok()?.starttime;
        Some(boot_time_secs().ok()? as f64 + ticks as f64 / ticks_per_second() as f64)
    };
    told().unwrap_or_default()
}

pub fn add(families: &mut Families, started: f64) {
    families.gauge(
        "process_start_time_seconds",
        "When this process was started, since the Unix epoch.",
        started,
    );
    let Ok(me) = Process::myself() else { return };
    if let Ok(stat) = me.stat() {
        let seconds = (stat.utime + stat.stime) as f64 / ticks_per_second() as f64;
        families.fraction_counter("process_cpu_seconds_total", "CPU time of this process.", seconds);
        families.gauge("process_virtual_memory_bytes", "Address space in use, in bytes.", stat.vsize as f64);
        let resident = (stat.rss * page_size()) as f64;
        families.gauge("process_resident_memory_bytes", "Memory in use, in bytes.", resident);
    }
    if let Ok(open) = me.fd_count() {
        families.gauge("process_open_fds", "Open file descriptors.", open as f64);
        families.gauge("os_fd_used", "File descriptors in use.", open as f64);
    }
    if let Some(files) = open_files_max() {
        families.gauge("process_max_fds", "File descriptors that may be open.", files as f64);
        families.gauge("os_fd_limit", "File descriptors that may be open.", files as f64);
    }
    if let Ok(limits) = me.limits() {
        let help = "Address space that may be in use, in bytes.";
        let space = number(limits.max_address_space.soft_limit);
        families.gauge("process_virtual_memory_max_bytes", help, space as f64);
    }
    if let Ok((received, sent)) = network_bytes() {
        families.counter("process_network_receive_bytes_total", "Bytes received by this host.", received);
        families.counter("process_network_transmit_bytes_total", "Bytes sent by this host.", sent);
    }
}

/// How many file descriptors may be open.
pub fn open_files_max() -> Option<u64> {
    let limits = Process::myself().and_then(|me| me.limits()).ok()?;
    Some(number(limits.max_open_files.soft_limit))
}

fn number(limit: LimitValue) -> u64 {
    match limit {
        LimitValue::Unlimited => u64::MAX,
        LimitValue::Value(value) => value,
    }
}

/// What went in and out by IP, in the network namespace of this process.
fn network_bytes() -> io::Result<(u64, u64)> {
    let text = fs::read_to_string("/proc/self/net/netstat")?;
    ip_octets(&text).ok_or_else(|| io::Error::other("no counts of octets"))
}

/// The table has a line of names and a line of values for each protocol.
fn ip_octets(text: &str) -> Option<(u64, u64)> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("IpExt: "));
    let (names, values) = (lines.next()?, lines.next()?);
    let value = |wanted: &str| {
        let at = names.split(' ').position(|name| name == wanted)?;
        values.split(' ').nth(at)?.parse().ok()
    };
    Some((value("InOctets")?, value("OutOctets")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_are_found_by_name() {
        let text = "TcpExt: A B\nTcpExt: 1 2\nIpExt: InNoRoutes InOctets OutOctets\nIpExt: 0 7 9\n";
        assert_eq!(ip_octets(text), Some((7, 9)));
        assert_eq!(ip_octets("IpExt: InOctets\nIpExt: 7\n"), None);
        assert_eq!(ip_octets(""), None);
    }
}

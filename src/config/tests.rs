use super::*;

fn values(args: &[&str]) -> Result<Values, Misuse> {
    let args: Vec<String> = args.iter().map(ToString::to_string).collect();
    Values::parse(FLAGS, &args)
}

fn settings(args: &[&str]) -> Result<Settings, String> {
    Settings::from_values(&values(args).expect("the flags are well formed"))
}

#[test]
fn flags_are_written_in_gos_ways() {
    let read = values(&["-name", "a", "--data-dir=b=c", "-pre-vote=false", "--snapshot-count", "5"]).unwrap();
    assert_eq!((read.text("name"), read.text("data-dir")), ("a", "b=c"));
    assert_eq!((read.switch("pre-vote"), read.unsigned("snapshot-count")), (false, 5));
    assert_eq!(read.signed("quota-backend-bytes"), 0);
    // A switch takes no word behind it.
    let read = values(&["--version", "true", "--name", "a"]).unwrap();
    assert!(read.switch("version"));
    assert_eq!(read.rest, ["true", "--name", "a"]);
    assert_eq!(values(&["--", "--name"]).unwrap().rest, ["--name"]);
}

#[test]
fn misuse_is_told_in_gos_words() {
    for (args, line) in [
        (&["--frobnicate"][..], "flag provided but not defined: -frobnicate"),
        (&["-x=1"], "flag provided but not defined: -x"),
        (&["---name"], "bad flag syntax: ---name"),
        (&["--name"], "flag needs an argument: -name"),
        (&["--snapshot-count=x"], "invalid value \"x\" for flag -snapshot-count: parse error"),
        (&["--snapshot-count=-1"], "invalid value \"-1\" for flag -snapshot-count: parse error"),
        (
            &["--max-txn-ops", "99999999999999999999"],
            "invalid value \"99999999999999999999\" for flag -max-txn-ops: value out of range",
        ),
        (&["--pre-vote=maybe"], "invalid boolean value \"maybe\" for -pre-vote: parse error"),
        (
            &["--initial-cluster-state=old"],
            "invalid value \"old\" for flag -initial-cluster-state: invalid value",
        ),
        (
            &["--listen-metrics-urls=*"],
            "invalid value \"*\" for flag -listen-metrics-urls: URL scheme must be http, https, unix, or unixs: *",
        ),
        (
            &["--cors=*,http://a:1"],
            "invalid value \"*,http://a:1\" for flag -cors: URL scheme must be http, https, unix, or unixs: *",
        ),
        (
            &["--max-concurrent-streams=4294967296"],
            "invalid value \"4294967296\" for flag -max-concurrent-streams: \
             strconv.ParseUint: parsing \"4294967296\": value out of range",
        ),
        (
            &["--grpc-keepalive-min-time=5"],
            "invalid value \"5\" for flag -grpc-keepalive-min-time: parse error",
        ),
        (
            &["--listen-client-urls=x"],
            "invalid value \"x\" for flag -listen-client-urls: URL scheme must be http, https, unix, or unixs: x",
        ),
    ] {
        assert_eq!(values(args).unwrap_err(), Misuse::Line(line.to_string()));
    }
    assert_eq!(values(&["--help"]).unwrap_err(), Misuse::Help);
    assert_eq!(values(&["-h"]).unwrap_err(), Misuse::Help);
}

#[test]
fn the_environment_fills_what_the_command_line_leaves_open() {
    let environment = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect::<Vec<_>>()
    };
    let mut read = values(&["--name", "a"]).unwrap();
    let seen = read
        .add_environment(environment(&[
            ("ETCD_DATA_DIR", "d"),
            ("ETCD_LOG_LEVEL", ""),
            ("ETCD_VERSION", "v3"),
            ("ETCD_OTHER", "1"),
            ("ETCDCTL_API", "3"),
            ("PATH", "/bin"),
        ]))
        .unwrap();
    assert_eq!(seen.used, [("ETCD_DATA_DIR".to_string(), "d".to_string())]);
    assert_eq!(seen.unknown, ["ETCD_VERSION", "ETCD_OTHER"]);
    assert_eq!((read.text("data-dir"), read.text("log-level")), ("d", "info"));

    let shadowed = values(&["--name", "a"]).unwrap().add_environment(environment(&[("ETCD_NAME", "b")]));
    assert!(matches!(shadowed, Err(EnvironmentTrouble::Shadowed(_))));
    let bad = values(&[]).unwrap().add_environment(environment(&[("ETCD_MAX_TXN_OPS", "x")]));
    let line = "invalid value \"x\" for ETCD_MAX_TXN_OPS: parse error".to_string();
    assert_eq!(bad, Err(EnvironmentTrouble::Value(line)));
}

#[test]
fn settings_that_cannot_work_are_refused_in_etcds_words() {
    let required = "--advertise-client-urls is required when --listen-client-urls is set explicitly";
    for (args, line) in [
        (&["word"][..], "'word' is not a valid flag"),
        (&["--listen-client-urls=http://127.0.0.1:1"], required),
        (
            &["--listen-peer-urls=http://example.com:1"],
            "expected IP in URL for binding (http://example.com:1)",
        ),
        (&["--heartbeat-interval=0"], "--heartbeat-interval must be >0 (set to 0ms)"),
        (&["--election-timeout=0"], "--election-timeout must be >0 (set to 0ms)"),
        (
            &["--election-timeout=400"],
            "--election-timeout[400ms] should be at least as 5 times as --heartbeat-interval[100ms]",
        ),
        (
            &["--election-timeout=50001"],
            "--election-timeout[50001ms] is too long, and should be set less than 50000ms",
        ),
    ] {
        assert_eq!(settings(args).unwrap_err(), line);
    }
    assert!(settings(&["--advertise-client-urls=https://a:1"]).unwrap_err().contains("not built yet"));
}

#[test]
fn the_defaults_are_the_cluster_that_every_etcd_user_has_seen() {
    let config = settings(&[]).unwrap().core_config(None).unwrap();
    assert_eq!(config.me.id.to_string(), "8e9e05c52164694d");
    assert_eq!(config.cluster_id.to_string(), "cdf818194e3a8c32");
    assert_eq!(settings(&[]).unwrap().data_dir, PathBuf::from("default.etcd"));
    let named = settings(&["--name=infra0"]).unwrap();
    assert_eq!(named.initial_cluster, "infra0=http://localhost:2380");
    assert_eq!(named.data_dir, PathBuf::from("infra0.etcd"));
    assert_eq!(named.core_config(None).unwrap().me.id.to_string(), "8e9e05c52164694d");
}

#[test]
fn the_initial_cluster_names_everybody_and_this_member_rightly() {
    let cluster = "--initial-cluster=b=http://127.0.0.1:2,a=http://127.0.0.1:1,a=http://127.0.0.1:3";
    let us = "--initial-advertise-peer-urls=http://127.0.0.1:3,http://127.0.0.1:1";
    let members = settings(&["--name=a", cluster, us]).unwrap().bootstrap().unwrap();
    assert_eq!(members.len(), 2);
    assert!(members[0].id < members[1].id);
    let a = members.iter().find(|member| member.name == "a").unwrap();
    assert_eq!(a.peer_urls, ["http://127.0.0.1:1", "http://127.0.0.1:3"]);

    let refused = |args: &[&str]| settings(args).unwrap().bootstrap().unwrap_err();
    assert_eq!(
        refused(&["--name=c", cluster]),
        "couldn't find local name \"c\" in the initial cluster configuration"
    );
    assert_eq!(
        refused(&["--name=b", cluster, "--initial-advertise-peer-urls=http://127.0.0.1:9"]),
        "--initial-cluster has b=http://127.0.0.1:2 but missing from \
         --initial-advertise-peer-urls=http://127.0.0.1:9"
    );
    assert_eq!(
        refused(&[
            "--name=b",
            cluster,
            "--initial-advertise-peer-urls=http://127.0.0.1:2,http://127.0.0.1:9"
        ]),
        "--initial-advertise-peer-urls has http://127.0.0.1:2,http://127.0.0.1:9 but missing from \
         --initial-cluster=b=http://127.0.0.1:2"
    );
    let twice = "--initial-cluster=a=http://127.0.0.1:1,b=http://127.0.0.1:1";
    assert!(refused(&["--name=a", twice]).ends_with("has duplicate url"));
}

#[test]
fn what_is_zero_stands_for_what_happens_without_it() {
    let usual = settings(&[]).unwrap();
    assert_eq!(usual.transport, Limits::default());
    let secs = Duration::from_secs;
    let read = settings(&[
        "--max-concurrent-streams=0x10",
        "--grpc-keepalive-min-time=0s",
        "--grpc-keepalive-interval=-1s",
        "--grpc-keepalive-timeout=1m30s",
        "--watch-progress-notify-interval=250ms",
        "--strict-reconfig-check=false",
        "--max-learners=3",
    ])
    .unwrap();
    let expected = Limits {
        concurrent_streams: 16,
        client_pings_min: secs(300),
        ping_every: secs(7200),
        ping_patience: secs(90),
    };
    assert_eq!(read.transport, expected);
    let config = read.core_config(None).unwrap();
    assert_eq!(config.watch_progress_interval, Span::millis(250));
    assert_eq!((config.strict_reconfig_check, config.max_learners), (false, 3));
    assert_eq!(usual.core_config(None).unwrap().watch_progress_interval, Span::secs(600));
}

#[test]
fn a_log_decides_over_the_flags_about_the_beginning() {
    let existing = settings(&["--initial-cluster-state=existing"]).unwrap();
    let config = existing.core_config(Some((MemberId(1), ClusterId(2)))).unwrap();
    assert_eq!((config.me.id, config.cluster_id), (MemberId(1), ClusterId(2)));
    assert!(config.bootstrap.is_empty());
}

#[test]
fn the_version_block_has_etcds_shape() {
    let text = version_lines();
    let heads: Vec<&str> = text.lines().filter_map(|line| Some(line.split_once(": ")?.0)).collect();
    assert_eq!(heads, ["etcd Version", "Git SHA", "Go Version", "Go OS/Arch", "detcd Version"]);
    assert!(text.starts_with("etcd Version: 3.7.1\n"));
}

#[test]
fn the_kind_of_token_is_read_with_its_options() {
    let read = |text: &str| {
        let authentication = settings(&[&format!("--auth-token={text}")]).unwrap().authentication()?;
        Ok::<String, String>(format!("{:?}", authentication.tokens))
    };
    assert_eq!(read("").as_deref(), Ok("None"));
    assert_eq!(read("simple").as_deref(), Ok("Simple { ttl: Span(300000000000) }"));
    let keys = concat!(env!("CARGO_MANIFEST_DIR"), "/runtime-tokio/src/jwt/testdata");
    let signed =
        format!("jwt,sign-method=RS256,pub-key={keys}/rsa.pub.pem,priv-key={keys}/rsa.pem,ttl=1h,x=y");
    assert_eq!(read(&signed).as_deref(), Ok("Signed"));
    for wrong in [
        "jwts",
        "jwt",
        "jwt,sign-method=none",
        "jwt,sign-method=RS257",
        "jwt,sign-method=RS256,pub-key=/no/such/file",
        "jwt,sign-method=RS256,ttl=5",
        "jwt,sign-method",
        "jwt,sign-method=RS256=x",
        "jwt,sign-method=RS256,sign-method=RS256",
    ] {
        assert_eq!(read(wrong).unwrap_err(), "auth: invalid auth options", "{wrong}");
    }
    assert_eq!(read("jwt,sign-method=RS256").unwrap_err(), "auth: missing key data");
    let cost = |flag: &str| settings(&[flag]).unwrap().authentication().unwrap().bcrypt_cost;
    for (flag, means) in [("4", 4), ("31", 31), ("3", 10), ("32", 10), ("4294967300", 10)] {
        assert_eq!(cost(&format!("--bcrypt-cost={flag}")), means);
    }
    let ttl = settings(&["--auth-token-ttl=7"]).unwrap().authentication().unwrap();
    assert_eq!(format!("{:?}", ttl.tokens), "Simple { ttl: Span(7000000000) }");
}

#[test]
fn who_may_ask_over_http_and_where_is_a_matter_of_flags() {
    let open = settings(&[]).unwrap();
    assert_eq!(
        (&*open.access.origins, &*open.access.hosts),
        (&["*".to_string()][..], &["*".to_string()][..])
    );
    assert!(open.enable_grpc_gateway && open.listen_metrics_urls.is_empty() && !open.extensive_metrics);
    let closed = settings(&[
        "--cors=http://b:1,http://a:1",
        "--host-whitelist=b, a,a",
        "--enable-grpc-gateway=false",
        "--listen-metrics-urls=http://127.0.0.1:2381",
        "--metrics=extensive",
    ])
    .unwrap();
    assert_eq!(closed.access.origins, ["http://a:1", "http://b:1"]);
    assert_eq!(closed.access.hosts, ["a", "b"]);
    assert_eq!(closed.listen_metrics_urls, ["http://127.0.0.1:2381"]);
    assert!(!closed.enable_grpc_gateway && closed.extensive_metrics);
    let name = settings(&["--listen-metrics-urls=http://example.com:2381"]).unwrap_err();
    assert_eq!(name, "expected IP in URL for binding (http://example.com:2381)");
}

#[test]
fn checkpoints_can_be_tuned_under_the_old_name_too() {
    let tuned = |args: &[&str]| {
        let settings = Settings::from_values(&values(args).unwrap())?;
        let config = settings.core_config(None)?;
        Ok::<_, String>((config.snapshot_count, config.snapshot_catchup_entries))
    };
    assert_eq!(tuned(&[]), Ok((10_000, 5_000)));
    assert_eq!(tuned(&["--snapshot-count=0", "--snapshot-catchup-entries=0"]), Ok((10_000, 5_000)));
    assert_eq!(tuned(&["--snapshot-count=7", "--experimental-snapshot-catchup-entries=3"]), Ok((7, 3)));
    assert_eq!(
        tuned(&["--snapshot-catchup-entries=1", "--experimental-snapshot-catchup-entries=3"]),
        Err("cannot set --experimental-snapshot-catchup-entries and --snapshot-catchup-entries at the same time, \
             please use --snapshot-catchup-entries only"
            .to_string())
    );
}

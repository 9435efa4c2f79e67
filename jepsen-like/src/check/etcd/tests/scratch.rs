use super::play::*;
use crate::check::etcd::*;
#[test]
fn scratch() {
    let mut seed = 7u64;
    let mut byte = || {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (seed >> 33) as u8
    };
    for (unique, unk, len, keys) in [
        (true, 4, 1000, 4),
        (true, 8, 1000, 4),
        (false, 4, 200, 4),
        (false, 4, 1000, 4),
        (false, 8, 200, 4),
        (false, 8, 1000, 4),
        (true, 8, 4000, 20),
        (false, 4, 4000, 20),
        (true, 2, 4000, 20),
        (false, 2, 4000, 20),
    ] {
        for expiry in [false, true] {
            let cast =
                Cast { has_unique_values: unique, unknown_in_16: unk, keys, has_expiry: expiry, ..FULL };
            let (mut ok, mut unknown, mut bad, mut bt, mut maxst) = (0, 0, 0, 0u64, 0u64);
            let t = std::time::Instant::now();
            for _ in 0..20 {
                let script: Vec<Bytes> = (0..len).map(|_| std::array::from_fn(|_| byte())).collect();
                let h = perform(&cast, &script);
                let r = report(&h, &Options { lease_expiry: expiry, budget: 200_000, ..Options::default() });
                bt += r.stats.backtracks;
                maxst = maxst.max(r.stats.states);
                match r.verdict {
                    crate::check::Verdict::Ok { .. } => ok += 1,
                    crate::check::Verdict::Unknown(_) => unknown += 1,
                    _ => bad += 1,
                }
            }
            eprintln!(
                "unique={unique} unk={unk} len={len} keys={keys} expiry={expiry}: ok {ok} unknown {unknown} bad {bad} backtracks {bt} maxstates {maxst} {:?}",
                t.elapsed()
            );
        }
    }
}

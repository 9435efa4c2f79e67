//! Numbers that no other member, and no earlier life of this one, has given out.
use crate::{MemberId, Rng};

/// etcd's form of a request id: the low 16 bits of the member's id on top, and below them 48 bits that begin at a
/// random place and count up. Source: contract-api 6.
#[derive(Debug)]
pub struct Ids {
    owner: u64,
    next: u64,
}

const BELOW: u64 = (1 << 48) - 1;

impl Ids {
    pub fn new(me: MemberId, rng: &mut Rng) -> Ids {
        // The lowest byte begins at zero, as etcd's does.
        Ids { owner: me.0 << 48, next: rng.u64() & BELOW & !0xff }
    }

    /// Never 0.
    pub fn next(&mut self) -> u64 {
        loop {
            self.next = (self.next + 1) & BELOW;
            let id = self.owner | self.next;
            if id != 0 {
                return id;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_name_their_member_and_count_up() {
        let mut ids = Ids::new(MemberId(0xabcd_1234), &mut Rng::from_seed(7));
        let first = ids.next();
        assert_eq!(first >> 48, 0x1234);
        assert_eq!(first & 0xff, 1);
        assert_eq!(ids.next(), first + 1);
        ids.next = BELOW;
        assert_eq!(ids.next(), 0x1234 << 48, "the count stays below the member's bits");
    }

    #[test]
    fn no_id_is_zero() {
        let mut ids = Ids { owner: 0, next: BELOW };
        assert_eq!(ids.next(), 1);
    }
}

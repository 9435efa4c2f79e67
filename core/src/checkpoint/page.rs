//! Pages of bbolt's files to the byte: little-endian, and all offsets from where they stand. Source: contract-semantics
//! 17.3.
#![deny(clippy::indexing_slicing)]
use alloc::vec::Vec;

/// What pages are written with, in bytes; read are those of others, too.
pub const PAGE: usize = 4096;
/// Before everything else in a page: id u64, flags u16, count u16, further pages u32.
pub const HEADER: usize = 16;
/// Leaves and branches name each of their entries with so many bytes.
pub const ELEMENT: usize = 16;
/// The bytes of a meta page behind its header.
pub const META: usize = 64;
/// What a bucket has for a value: root page and sequence.
pub const BUCKET: usize = 16;
/// A bucket whose only page would take no more than this stands in its value.
pub const INLINE_MAX: usize = PAGE / 4;

pub const BRANCH: u16 = 0x01;
pub const LEAF: u16 = 0x02;
const META_FLAG: u16 = 0x04;
/// In a leaf's element: the value is a bucket.
pub const IS_BUCKET: u32 = 0x01;

const MAGIC: u32 = 0xed0c_daed;
const VERSION: u32 = 2;
/// The free pages are not stored; readers find them by looking at all others.
const NO_FREELIST: u64 = u64::MAX;

/// The first bytes of a page.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    pub id: u64,
    pub flags: u16,
    pub count: u16,
    pub overflow: u32,
}

impl Header {
    pub fn read(page: &[u8]) -> Option<Header> {
        Some(Header {
            id: u64_at(page, 0)?,
            flags: u16_at(page, 8)?,
            count: u16_at(page, 10)?,
            overflow: u32_at(page, 12)?,
        })
    }

    pub fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.id.to_le_bytes());
        out.extend_from_slice(&self.flags.to_le_bytes());
        out.extend_from_slice(&self.count.to_le_bytes());
        out.extend_from_slice(&self.overflow.to_le_bytes());
    }
}

/// Where a file's trees begin.
#[derive(Clone, Copy, Debug)]
pub struct Meta {
    pub page_size: u32,
    /// The page of the root bucket.
    pub root: u64,
    /// So many pages are in use or free.
    pub high_water: u64,
    pub transaction: u64,
}

impl Meta {
    /// As page 0 or 1, header included, filled up to a whole page.
    pub fn write(self, page: u64, out: &mut Vec<u8>) {
        let start = out.len();
        Header { id: page, flags: META_FLAG, count: 0, overflow: 0 }.write(out);
        let meta = out.len();
        out.extend_from_slice(&MAGIC.to_le_bytes());
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&self.page_size.to_le_bytes());
        out.extend_from_slice(&0u32.to_le_bytes());
        for number in [self.root, 0, NO_FREELIST, self.high_water, self.transaction] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        let sum = fnv1a(out.get(meta..).expect("just written"));
        out.extend_from_slice(&sum.to_le_bytes());
        out.resize(start + PAGE, 0);
    }

    /// Nothing if this is no meta page, or a damaged one.
    pub fn read(page: &[u8]) -> Option<Meta> {
        let meta = page.get(HEADER..HEADER + META)?;
        let (summed, sum) = meta.split_at_checked(META - 8)?;
        let is_sound =
            u32_at(meta, 0)? == MAGIC && u32_at(meta, 4)? == VERSION && u64_at(sum, 0)? == fnv1a(summed);
        is_sound.then_some(Meta {
            page_size: u32_at(meta, 8)?,
            root: u64_at(meta, 16)?,
            high_water: u64_at(meta, 40)?,
            transaction: u64_at(meta, 48)?,
        })
    }
}

/// A leaf's or a branch's entries, as their page tells where they are.
pub struct Elements<'a> {
    page: &'a [u8],
    count: usize,
    is_leaf: bool,
}

/// One entry of a page.
pub enum Element<'a> {
    Child { key: &'a [u8], page: u64 },
    Pair { key: &'a [u8], value: &'a [u8] },
    Bucket { key: &'a [u8], value: &'a [u8] },
}

impl<'a> Elements<'a> {
    /// `page`: with its header and with all that runs over into further pages.
    pub fn of(page: &'a [u8]) -> Result<Elements<'a>, &'static str> {
        let header = Header::read(page).ok_or("a page that is cut off")?;
        let is_leaf = match header.flags {
            LEAF => true,
            BRANCH => false,
            _ => return Err("neither leaf nor branch"),
        };
        let elements = Elements { page, count: header.count.into(), is_leaf };
        // Each byte is an entry's own, so a small page cannot stand for a lot of data.
        let mut left = page.len().checked_sub(HEADER).ok_or("a page that is cut off")?;
        for at in 0..elements.count {
            let (key, value) = elements.sizes(at).ok_or("more entries than fit")?;
            let size = (ELEMENT + key).checked_add(value).ok_or("an entry longer than its page")?;
            left = left.checked_sub(size).ok_or("entries longer than their page")?;
        }
        Ok(elements)
    }

    pub fn len(&self) -> usize {
        self.count
    }

    pub fn is_branch(&self) -> bool {
        !self.is_leaf
    }

    fn place(&self, at: usize) -> usize {
        HEADER + at * ELEMENT
    }

    fn sizes(&self, at: usize) -> Option<(usize, usize)> {
        let place = self.place(at);
        let (key_at, value_at) = if self.is_leaf { (8, Some(12)) } else { (4, None) };
        let size = |at: usize| u32_at(self.page, place + at).map(|size| size as usize);
        Some((size(key_at)?, value_at.map_or(Some(0), size)?))
    }

    pub fn get(&self, at: usize) -> Result<Element<'a>, &'static str> {
        self.read(at).ok_or("an entry outside of its page")
    }

    fn read(&self, at: usize) -> Option<Element<'a>> {
        let place = self.place(at);
        let (key_len, value_len) = self.sizes(at)?;
        let distance = u32_at(self.page, if self.is_leaf { place + 4 } else { place })? as usize;
        let start = place.checked_add(distance)?;
        let end = start.checked_add(key_len)?;
        let key = self.page.get(start..end)?;
        if !self.is_leaf {
            return Some(Element::Child { key, page: u64_at(self.page, place + 8)? });
        }
        let value = self.page.get(end..end.checked_add(value_len)?)?;
        let is_bucket = u32_at(self.page, place)? & IS_BUCKET != 0;
        Some(if is_bucket { Element::Bucket { key, value } } else { Element::Pair { key, value } })
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_le_bytes(*bytes))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

pub fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

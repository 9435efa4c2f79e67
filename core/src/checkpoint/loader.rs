//! Reads a bbolt file, without doing the reading: it says which bytes it wants and is given them.
//!
//! Nothing in the file is believed. Every page number is checked against the file's length and no page is visited
//! twice, so a file can neither lead in circles nor cost more time or memory than its length allows. Keys must ascend.
#![deny(clippy::indexing_slicing)]
use super::{
    Loaded, Loading,
    page::{BUCKET, Element, Elements, HEADER, Header, META, Meta, u64_at},
};
use crate::Plants;
use alloc::{collections::VecDeque, vec, vec::Vec};
use core::fmt;

/// Sizes of pages that bbolt may have been told to use: the host's.
const PAGE_SIZES: core::ops::RangeInclusive<u32> = 9..=24;
/// Reading starts with one page, and goes on with more and more as long as the pages wanted follow on each other.
const READ_BYTES_MAX: usize = 1 << 20;

/// A file that is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The page where it shows.
    pub page: u64,
    pub why: &'static str,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bolt: page {}: {}", self.page, self.why)
    }
}

impl core::error::Error for Damage {}

/// Who is told what is in a file: the buckets in the order of their names, and after each its rows in the order of
/// their keys.
pub trait Sink {
    /// Whether the rows of this bucket are of interest.
    fn enter(&mut self, bucket: &[u8]) -> bool;
    /// A row that cannot be ends the walk with a reason.
    fn row(&mut self, key: &[u8], value: &[u8]) -> Result<(), &'static str>;
}

/// A walk through all that makes up a file: ask what it wants, give it those bytes, until it wants nothing.
#[derive(Debug)]
pub struct Walk<S> {
    file_len: u64,
    step: Step,
    page_size: u64,
    /// Which of the pages of metadata counts: the greater.
    transaction: u64,
    /// No page at or above this is in use.
    high_water: u64,
    /// One bit per page: it was visited.
    visited: Vec<u64>,
    /// Pages still to be visited, the next one last.
    stack: Vec<Visit>,
    /// Buckets that come when the stack is empty, the root bucket's in the order of their names.
    buckets: VecDeque<(Vec<u8>, Content)>,
    /// The root bucket's pages are through.
    in_bucket: bool,
    /// The greatest key of this bucket so far; empty if there was none.
    last_key: Vec<u8>,
    want: (u64, usize),
    sink: S,
}

/// Reads a file of etcd's; then `finish`.
pub type Loader = Walk<Loading>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The first page of metadata, then the second where it would be with pages of `1 << n` bytes.
    FirstMeta,
    SecondMeta(u32),
    Pages,
    Done,
}

/// Where a bucket's rows are.
#[derive(Debug)]
enum Content {
    Root(u64),
    /// A leaf that stands in the bucket's value.
    Inline(Vec<u8>),
}

#[derive(Debug)]
struct Visit {
    page: u64,
    /// Nothing below has a smaller key.
    lower: Vec<u8>,
}

const META_BYTES: usize = HEADER + META;

impl Loader {
    /// `file_len`: of the file in bytes; what follows on its pages is not looked at.
    pub fn new(file_len: u64, plants: Plants) -> Loader {
        Walk::through(file_len, Loading::new(plants))
    }

    pub fn finish(self) -> Result<Loaded, Damage> {
        self.into_sink()?.finish().map_err(|why| Damage { page: 0, why })
    }
}

impl<S: Sink> Walk<S> {
    pub fn through(file_len: u64, sink: S) -> Walk<S> {
        Walk {
            file_len,
            step: Step::FirstMeta,
            page_size: 0,
            transaction: 0,
            high_water: 0,
            visited: Vec::new(),
            stack: Vec::new(),
            buckets: VecDeque::new(),
            in_bucket: false,
            last_key: Vec::new(),
            want: (0, META_BYTES),
            sink,
        }
    }

    /// Who was told everything, once it was.
    pub fn into_sink(self) -> Result<S, Damage> {
        if self.step == Step::Done {
            Ok(self.sink)
        } else {
            Err(Damage { page: 0, why: "not read to its end" })
        }
    }

    /// Offset and length of the bytes it must be given next, within the file; `None` when it has seen all.
    pub fn wants(&self) -> Option<(u64, usize)> {
        let (offset, len) = self.want;
        let left = self.file_len.saturating_sub(offset);
        (self.step != Step::Done).then(|| (offset, len.min(usize::try_from(left).unwrap_or(usize::MAX))))
    }

    /// Takes the bytes it wanted; fewer are a file that was cut off.
    pub fn give(&mut self, bytes: &[u8]) -> Result<(), Damage> {
        match self.step {
            Step::FirstMeta | Step::SecondMeta(_) => self.metadata(bytes),
            Step::Pages => self.pages(bytes),
            Step::Done => Ok(()),
        }
    }

    fn metadata(&mut self, bytes: &[u8]) -> Result<(), Damage> {
        let found = Meta::read(bytes)
            .filter(|meta| meta.page_size.is_power_of_two() && PAGE_SIZES.contains(&meta.page_size.ilog2()));
        match (self.step, found) {
            (Step::FirstMeta, Some(first)) => {
                self.begin(first);
                self.want = (self.page_size, META_BYTES);
                self.step = Step::SecondMeta(first.page_size.ilog2());
            }
            (Step::FirstMeta, None) => {
                let smallest = *PAGE_SIZES.start();
                self.want = (1 << smallest, META_BYTES);
                self.step = Step::SecondMeta(smallest);
            }
            (Step::SecondMeta(bits), found) => {
                let second = found.filter(|second| second.page_size.ilog2() == bits);
                match second {
                    // The later of two that are whole counts; the first has begun already.
                    Some(second) if self.page_size == 0 || second.transaction > self.transaction => {
                        self.begin(second);
                    }
                    None if self.page_size == 0 => {
                        if bits == *PAGE_SIZES.end() {
                            return Err(Damage { page: 0, why: "no sound page of metadata" });
                        }
                        self.want = (1 << (bits + 1), META_BYTES);
                        self.step = Step::SecondMeta(bits + 1);
                        return Ok(());
                    }
                    _ => {}
                }
                return self.enter();
            }
            (Step::Pages | Step::Done, _) => {}
        }
        Ok(())
    }

    fn begin(&mut self, meta: Meta) {
        self.page_size = meta.page_size.into();
        self.high_water = meta.high_water;
        self.transaction = meta.transaction;
        self.stack = vec![Visit { page: meta.root, lower: Vec::new() }];
    }

    /// The metadata is known.
    fn enter(&mut self) -> Result<(), Damage> {
        let pages = self.file_len / self.page_size;
        if self.high_water > pages {
            return Err(Damage { page: self.high_water - 1, why: "the file ends before it" });
        }
        let words = usize::try_from(pages.div_ceil(64));
        self.visited =
            vec![0; words.map_err(|_| Damage { page: 0, why: "a file too long for this machine" })?];
        self.step = Step::Pages;
        self.want = (0, self.small_read());
        self.look_ahead();
        Ok(())
    }

    /// One page.
    fn small_read(&self) -> usize {
        self.page_size as usize
    }

    /// Settles what is read next, if anything: more than before if it follows on what was read last.
    fn look_ahead(&mut self) {
        let Some(visit) = self.stack.last() else {
            self.step = Step::Done;
            return;
        };
        let (read, len) = self.want;
        let offset = visit.page.saturating_mul(self.page_size);
        let follows = offset == read.saturating_add(len as u64);
        let len =
            if follows { (len * 2).min(READ_BYTES_MAX.max(self.small_read())) } else { self.small_read() };
        self.want = (offset, len);
    }

    /// Visits pages as long as they are within these bytes.
    fn pages(&mut self, bytes: &[u8]) -> Result<(), Damage> {
        let (start, wanted) = self.want;
        loop {
            let Some(Visit { page: id, .. }) = self.stack.last() else {
                let Some((name, content)) = self.buckets.pop_front() else { break };
                if self.sink.enter(&name) {
                    self.in_bucket = true;
                    self.last_key.clear();
                    self.content(content)?;
                }
                continue;
            };
            let id = *id;
            let damage = |why| Damage { page: id, why };
            if id < 2 || id >= self.high_water {
                return Err(damage("a page that cannot be there"));
            }
            let Some(rest) = id
                .checked_mul(self.page_size)
                .and_then(|offset| offset.checked_sub(start))
                .and_then(|from| bytes.get(usize::try_from(from).ok()?..))
                .filter(|rest| rest.len() >= HEADER)
            else {
                if id.saturating_mul(self.page_size) == start {
                    return Err(damage("the file ends in it"));
                }
                break;
            };
            let header = Header::read(rest).ok_or_else(|| damage("the file ends in it"))?;
            let whole = (u64::from(header.overflow) + 1).saturating_mul(self.page_size);
            if header.id != id {
                return Err(damage("it says that it is another page"));
            }
            if self.high_water - id <= u64::from(header.overflow) {
                return Err(damage("it runs over the end of the file"));
            }
            let whole = usize::try_from(whole).map_err(|_| damage("too long for this machine"))?;
            let Some(page) = rest.get(..whole) else {
                let offset = id * self.page_size;
                if offset == start && wanted >= whole {
                    return Err(damage("the file ends in it"));
                }
                self.want = (offset, whole);
                return Ok(());
            };
            for visited in id..=id + u64::from(header.overflow) {
                self.mark(visited).ok_or(Damage { page: visited, why: "it is used twice" })?;
            }
            let visit = self.stack.pop().expect("looked at above");
            self.page(&visit, page).map_err(damage)?;
        }
        self.look_ahead();
        Ok(())
    }

    fn mark(&mut self, page: u64) -> Option<()> {
        let word = self.visited.get_mut(usize::try_from(page / 64).ok()?)?;
        let bit = 1 << (page % 64);
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new.then_some(())
    }

    fn page(&mut self, visit: &Visit, page: &[u8]) -> Result<(), &'static str> {
        let elements = Elements::of(page)?;
        let mut children: Vec<Visit> = Vec::new();
        for at in 0..elements.len() {
            match elements.get(at)? {
                Element::Child { key, page } => {
                    if children.last().map_or(*key < visit.lower[..], |before| *key <= before.lower[..]) {
                        return Err("keys out of order");
                    }
                    children.push(Visit { page, lower: key.to_vec() });
                }
                Element::Pair { key, value } => {
                    self.in_order(key, &visit.lower)?;
                    if !self.in_bucket {
                        return Err("a pair outside of every bucket");
                    }
                    self.sink.row(key, value)?;
                }
                Element::Bucket { key, value } => {
                    self.in_order(key, &visit.lower)?;
                    if self.in_bucket {
                        return Err("a bucket within a bucket");
                    }
                    let root = u64_at(value, 0).ok_or("a bucket that is cut off")?;
                    let inline = value.get(BUCKET..).ok_or("a bucket that is cut off")?;
                    let content =
                        if root == 0 { Content::Inline(inline.to_vec()) } else { Content::Root(root) };
                    self.buckets.push_back((key.to_vec(), content));
                }
            }
        }
        if elements.is_branch() && children.is_empty() {
            return Err("a branch without children");
        }
        self.stack.extend(children.into_iter().rev());
        Ok(())
    }

    /// Keys ascend from page to page, and none is below what the branch above promised.
    fn in_order(&mut self, key: &[u8], lower: &[u8]) -> Result<(), &'static str> {
        if *key <= self.last_key[..] || *key < *lower {
            return Err("keys out of order");
        }
        self.last_key.clear();
        self.last_key.extend_from_slice(key);
        Ok(())
    }

    fn content(&mut self, content: Content) -> Result<(), Damage> {
        match content {
            Content::Root(page) => {
                self.stack.push(Visit { page, lower: Vec::new() });
                Ok(())
            }
            // It has no page of its own to be named.
            Content::Inline(page) => self.inline(&page).map_err(|why| Damage { page: 0, why }),
        }
    }

    fn inline(&mut self, page: &[u8]) -> Result<(), &'static str> {
        let elements = Elements::of(page)?;
        for at in 0..elements.len() {
            let Element::Pair { key, value } = elements.get(at)? else {
                return Err("a small bucket with more than rows in it");
            };
            self.in_order(key, &[])?;
            self.sink.row(key, value)?;
        }
        Ok(())
    }
}

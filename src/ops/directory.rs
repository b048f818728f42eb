//! A list of ops that never changes, from which another one is made that differs in one op.
//!
//! It is a hash trie: each node looks at a few bits of the hash. What two lists have in common they
//! share, so that making one takes as many steps as there are nodes on the way, and finding an op
//! changes nothing that threads share.

use crate::memory::{Memory, Shared, TryVec, try_with_capacity};

/// Bits of the hash that a node looks at.
const BITS: u32 = 5;
const MASK: u64 = (1 << BITS) - 1;

/// Where an op is found by the hash of its names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) hash: u64,
    pub(super) key: u64,
}

/// All ops that are registered at one time, by hash.
#[derive(Default)]
pub(super) struct Directory {
    root: TrieNode,
}

/// Entries whose hashes have the same bits up to here. At the end of the hash, these are all.
#[derive(Default)]
struct TrieNode {
    /// Which values of the next bits occur; nothing at the end of the hash.
    occurs: u32,
    /// An item for each value that occurs, in order; at the end of the hash, the entries.
    items: Vec<Item>,
}

#[derive(Clone)]
enum Item {
    Entry(Entry),
    Node(Shared<TrieNode>),
}

impl Item {
    /// How often another list had to take over an item.
    fn copy(&self) -> Self {
        #[cfg(test)]
        COPIED.set(COPIED.get().saturating_add(1));
        self.clone()
    }
}

/// What the next bits of a hash are on this level; `None` at its end.
fn next_bits(hash: u64, level: u32) -> Option<u32> {
    let shift = level.checked_mul(BITS).filter(|shift| *shift < u64::BITS)?;
    Some((hash >> shift & MASK) as u32)
}

impl Directory {
    /// The keys of ops whose names have this hash: one, if any, but for an accident.
    pub(super) fn keys(&self, hash: u64) -> impl Iterator<Item = u64> {
        let mut found = EntriesOfHash { entries: &[], one: None };
        let (mut node, mut level) = (&self.root, 0_u32);
        loop {
            let Some(bits) = next_bits(hash, level) else {
                found.entries = &node.items;
                break;
            };
            match node.place(bits).and_then(|place| node.items.get(place)) {
                Some(Item::Node(below)) => (node, level) = (below, level.saturating_add(1)),
                Some(Item::Entry(entry)) => {
                    found.one = Some(*entry).filter(|entry| entry.hash == hash);
                    break;
                }
                None => break,
            }
        }
        found.map(|entry| entry.key)
    }

    /// Shows every entry.
    pub(super) fn try_each<E>(
        &self, mut each: impl FnMut(Entry) -> Result<(), E>,
    ) -> Result<(), E> {
        self.root.try_each(&mut each)
    }

    /// The same without an entry, and with another one.
    pub(super) fn changed(&self, without: Option<Entry>, with: Option<Entry>) -> Memory<Self> {
        let mut root = None;
        if let Some(entry) = without {
            root = Some(self.root.without(entry, 0)?);
        }
        if let Some(entry) = with {
            root = Some(root.as_ref().unwrap_or(&self.root).with(entry, 0)?);
        }
        match root {
            Some(root) => Ok(Self { root }),
            None => Ok(Self { root: self.root.try_clone()? }),
        }
    }
}

/// Entries that were found.
struct EntriesOfHash<'a> {
    entries: &'a [Item],
    one: Option<Entry>,
}

impl Iterator for EntriesOfHash<'_> {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        if let Some(entry) = self.one.take() {
            return Some(entry);
        }
        let (first, rest) = self.entries.split_first()?;
        self.entries = rest;
        match first {
            Item::Entry(entry) => Some(*entry),
            Item::Node(_) => None,
        }
    }
}

impl TrieNode {
    /// Where the item for these bits is, if they occur.
    fn place(&self, bits: u32) -> Option<usize> {
        (self.occurs >> bits & 1 != 0).then(|| self.rank(bits))
    }

    /// How many smaller values occur.
    fn rank(&self, bits: u32) -> usize {
        (self.occurs & !(u32::MAX << bits)).count_ones() as usize
    }

    fn try_each<E>(&self, each: &mut impl FnMut(Entry) -> Result<(), E>) -> Result<(), E> {
        self.items.iter().try_for_each(|item| match item {
            Item::Entry(entry) => each(*entry),
            Item::Node(node) => node.try_each(each),
        })
    }

    fn try_clone(&self) -> Memory<Self> {
        self.replaced(self.items.len(), None, self.occurs)
    }

    /// A copy, in which another item, or none, has the place of one. A place past the end adds one.
    fn replaced(&self, place: usize, item: Option<Item>, occurs: u32) -> Memory<Self> {
        let mut items = try_with_capacity(self.items.len().saturating_add(1))?;
        let (before, after) = self.items.split_at(place.min(self.items.len()));
        items.try_extend(before.iter().map(Item::copy))?;
        items.try_extend(item)?;
        items.try_extend(after.iter().skip(1).map(Item::copy))?;
        Ok(Self { occurs, items })
    }

    /// A copy with one more item.
    fn inserted(&self, place: usize, item: Item, occurs: u32) -> Memory<Self> {
        let mut items = try_with_capacity(self.items.len().saturating_add(1))?;
        let (before, after) = self.items.split_at(place.min(self.items.len()));
        items.try_extend(before.iter().map(Item::copy))?;
        items.try_push(item)?;
        items.try_extend(after.iter().map(Item::copy))?;
        Ok(Self { occurs, items })
    }

    /// The same with an entry.
    fn with(&self, entry: Entry, level: u32) -> Memory<Self> {
        let Some(bits) = next_bits(entry.hash, level) else {
            return self.inserted(self.items.len(), Item::Entry(entry), 0);
        };
        let below = level.saturating_add(1);
        let Some(place) = self.place(bits) else {
            return self.inserted(self.rank(bits), Item::Entry(entry), self.occurs | 1 << bits);
        };
        let node = match self.items.get(place) {
            Some(Item::Node(node)) => node.with(entry, below)?,
            Some(Item::Entry(other)) => Self::default().with(*other, below)?.with(entry, below)?,
            None => return self.try_clone(),
        };
        self.replaced(place, Some(Item::Node(Shared::try_new(node)?)), self.occurs)
    }

    /// The same without an entry, if it is there.
    fn without(&self, entry: Entry, level: u32) -> Memory<Self> {
        let is = |item: &Item| matches!(item, Item::Entry(other) if *other == entry);
        let Some(bits) = next_bits(entry.hash, level) else {
            let place = self.items.iter().position(is).unwrap_or(self.items.len());
            return self.replaced(place, None, 0);
        };
        let item = self.place(bits).and_then(|place| self.items.get(place));
        match item {
            Some(Item::Node(node)) => {
                let node = node.without(entry, level.saturating_add(1))?;
                match *node.items {
                    [] => self.replaced(self.rank(bits), None, self.occurs & !(1 << bits)),
                    // No longer than the way to it has to be.
                    [Item::Entry(last)] => {
                        self.replaced(self.rank(bits), Some(Item::Entry(last)), self.occurs)
                    }
                    _ => {
                        let node = Item::Node(Shared::try_new(node)?);
                        self.replaced(self.rank(bits), Some(node), self.occurs)
                    }
                }
            }
            Some(item) if is(item) => {
                self.replaced(self.rank(bits), None, self.occurs & !(1 << bits))
            }
            _ => self.try_clone(),
        }
    }
}

#[cfg(test)]
thread_local! {
    /// Items that lists of this thread have taken over from others.
    static COPIED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(directory: &Directory) -> Vec<Entry> {
        let mut entries = Vec::new();
        let pushed = directory.try_each(|entry| {
            entries.push(entry);
            Ok::<_, ()>(())
        });
        assert_eq!(pushed, Ok(()));
        entries.sort_unstable_by_key(|entry| (entry.hash, entry.key));
        entries
    }

    fn keys(directory: &Directory, hash: u64) -> Vec<u64> {
        let mut keys: Vec<u64> = directory.keys(hash).collect();
        keys.sort_unstable();
        keys
    }

    /// Hashes that differ in their first bits, in their last, in all, and not at all.
    fn entries() -> Vec<Entry> {
        let spread = (1..200_u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let hashes = (0..40)
            .chain((0..16).map(|n| n << 60))
            .chain(spread)
            .chain([7; 5])
            .chain([u64::MAX; 3]);
        hashes.zip(1..).map(|(hash, key)| Entry { hash, key }).collect()
    }

    #[test]
    fn what_was_put_in_is_found_until_it_is_taken_out_and_older_lists_stay_as_they_were() {
        let entries = entries();
        let mut lists = vec![Directory::default()];
        for &entry in &entries {
            lists.push(lists.last().unwrap().changed(None, Some(entry)).unwrap());
        }
        for (len, list) in lists.iter().enumerate() {
            let mut expected = entries[..len].to_vec();
            expected.sort_unstable_by_key(|entry| (entry.hash, entry.key));
            assert_eq!(all(list), expected);
            for entry in &entries {
                let same = expected.iter().filter(|other| other.hash == entry.hash);
                assert_eq!(keys(list, entry.hash), same.map(|other| other.key).collect::<Vec<_>>());
            }
        }
        let mut list = lists.pop().unwrap();
        for (gone, &entry) in entries.iter().enumerate() {
            // What is not there is left out in vain.
            let absent = Entry { key: 0, ..entry };
            list = list.changed(Some(absent), None).unwrap().changed(Some(entry), None).unwrap();
            assert_eq!(all(&list).len(), entries.len() - gone - 1);
            assert!(!keys(&list, entry.hash).contains(&entry.key));
        }
        assert_eq!((list.root.occurs, list.root.items.len()), (0, 0));
    }

    #[test]
    fn an_entry_takes_the_place_of_another() {
        let (old, new) = (Entry { hash: 5, key: 1 }, Entry { hash: 5, key: 2 });
        let list = Directory::default().changed(None, Some(old)).unwrap();
        assert_eq!(all(&list.changed(Some(old), Some(new)).unwrap()), [new]);
        assert_eq!(all(&list.changed(None, None).unwrap()), [old]);
    }

    /// Four times as many take some more than four times as long: as many steps each as there are
    /// levels.
    #[test]
    fn a_list_of_many_is_made_in_few_steps() {
        let steps = |count: u64| {
            COPIED.set(0);
            let mut list = Directory::default();
            for key in 0..count {
                let hash = (key + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                list = list.changed(None, Some(Entry { hash, key })).unwrap();
            }
            COPIED.get()
        };
        let (few, many) = (steps(4_000), steps(16_000));
        assert!(many < 6 * few, "{few}, {many}");
        assert!(many < 16_000 * 4 * 32, "{many}");
    }
}

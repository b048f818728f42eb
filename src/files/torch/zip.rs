//! The zip archives that `torch.save` writes: where the bytes of each record are.
//!
//! Records are stored as they are. An archive with compressed or encrypted ones is refused, and so are
//! records that overlap, that lie outside of the archive, or whose two headers disagree.
//!
//! Source: PKWARE's APPNOTE 6.3.10, sections 4.3.7 (local header), 4.3.12 to 4.3.16 (directory), 4.5.3
//! (zip64).

use super::cursor::Cursor;
use super::{Malformed, Parsed};
use crate::memory::{TryVec, text, try_boxed_str, try_collect};

/// Bytes that are somewhere, such as in a part of a file.
pub(crate) trait ByteSource {
    /// How many there are.
    fn length(&self) -> u64;

    /// Some of them, which must be there.
    fn read(&self, at: u64, length: usize) -> Parsed<Vec<u8>>;
}

/// A record of an archive.
#[derive(Debug)]
pub(crate) struct Record {
    /// Its name, with that of its folder.
    pub(crate) name: Box<str>,
    /// Where its header starts.
    header: u64,
    /// Where its bytes start, counted from the start of the archive.
    pub(crate) start: u64,
    /// How many bytes it has.
    pub(crate) length: u64,
}

impl Record {
    fn end(&self) -> u64 {
        self.start.saturating_add(self.length)
    }
}

const END: u32 = 0x0605_4b50;
const END_LENGTH: u64 = 22;
const END_64: u32 = 0x0606_4b50;
const END_64_LENGTH: u64 = 56;
const LOCATOR_64: u32 = 0x0706_4b50;
const LOCATOR_64_LENGTH: u64 = 20;
const ENTRY: u32 = 0x0201_4b50;
const LOCAL: u32 = 0x0403_4b50;
const LOCAL_LENGTH: u64 = 30;
/// The flag of encrypted records.
const ENCRYPTED: u16 = 1;
/// The extra field with the numbers that do not fit 32 bits.
const ZIP_64: u16 = 1;

/// What is read of an archive's end in one step: its directory, nearly always.
const TAIL: u64 = 8 << 10;
/// A tensor has one record of bytes and a few that describe it. More are no archive of one tensor.
const MAX_RECORDS: u64 = 4096;
/// No directory of so many records is longer.
const MAX_DIRECTORY: u64 = 4 << 20;

/// The records of an archive, in the order in which they lie there.
pub(crate) fn records(source: &dyn ByteSource) -> Parsed<Vec<Record>> {
    let tail = Tail::read(source)?;
    let directory = tail.directory(source)?;
    let bytes = tail.bytes(source, directory.start, directory.length)?;
    let mut cursor = Cursor::new(&bytes);
    let mut records = Vec::new();
    for _ in 0..directory.count {
        let record = entry(&mut cursor)?;
        records.try_push(record)?;
    }
    if !cursor.is_at_end() {
        return Err(Malformed::new("the directory of the archive is longer than its records"));
    }
    records.sort_unstable_by_key(|record| record.header);
    records.iter_mut().try_for_each(|record| local(source, record))?;
    let ends = try_collect(records.iter().map(Record::end))?;
    let starts = records.iter().map(|record| record.header).skip(1);
    for (end, next) in ends.iter().zip(starts.chain([directory.start])) {
        if *end > next {
            return Err(Malformed::new(text!(
                "a record ends at byte {end}, behind the start of the next"
            )));
        }
    }
    Ok(records)
}

/// Where the list of records is.
struct ZipDirectory {
    count: u64,
    start: u64,
    length: u64,
}

/// The last bytes of an archive.
struct Tail {
    bytes: Vec<u8>,
    start: u64,
}

impl Tail {
    fn read(source: &dyn ByteSource) -> Parsed<Self> {
        let length = source.length().min(TAIL);
        let start = source.length().saturating_sub(length);
        // At most `TAIL`.
        Ok(Self { bytes: source.read(start, length as usize)?, start })
    }

    /// Bytes of the archive, of these where they are here.
    fn bytes(&self, source: &dyn ByteSource, at: u64, length: u64) -> Parsed<Vec<u8>> {
        if at.checked_add(length).is_none_or(|end| end > source.length()) {
            let problem = text!("{length} bytes at {at} are outside of the archive");
            return Err(Malformed::new(problem));
        }
        let here = at.checked_sub(self.start).and_then(|from| usize::try_from(from).ok());
        let rest = here.and_then(|from| self.bytes.get(from..));
        let here = rest.and_then(|rest| rest.get(..usize::try_from(length).ok()?));
        if let Some(here) = here {
            return Ok(crate::memory::try_to_vec(here)?);
        }
        let length = usize::try_from(length);
        source.read(at, length.map_err(|_| Malformed::new("the archive is larger than memory"))?)
    }

    fn directory(&self, source: &dyn ByteSource) -> Parsed<ZipDirectory> {
        let end = source.length().checked_sub(END_LENGTH);
        let end = end.ok_or_else(|| Malformed::new("it is too short for a zip archive"))?;
        let bytes = self.bytes(source, end, END_LENGTH)?;
        let mut cursor = Cursor::new(&bytes);
        if cursor.u32()? != END {
            let problem = "it does not end as the zip archive of a tensor does, or has a comment";
            return Err(Malformed::new(problem));
        }
        let disks = (cursor.u16()?, cursor.u16()?);
        let (here, count) = (cursor.u16()?, cursor.u16()?);
        let (length, start) = (cursor.u32()?, cursor.u32()?);
        let comment = cursor.u16()?;
        let wide = here == u16::MAX || count == u16::MAX || length == u32::MAX || start == u32::MAX;
        let directory = match wide {
            true => self.wide_directory(source, end)?,
            false if disks == (0, 0) && here == count && comment == 0 => {
                ZipDirectory { count: count.into(), start: start.into(), length: length.into() }
            }
            false => return Err(Malformed::new("it is a zip archive in several parts")),
        };
        if directory.count > MAX_RECORDS || directory.length > MAX_DIRECTORY {
            let problem = text!(
                "the archive has {} records in a directory of {} bytes; an archive of one tensor has few",
                directory.count,
                directory.length
            );
            return Err(Malformed::new(problem));
        }
        if directory.start.checked_add(directory.length).is_none_or(|last| last > end) {
            return Err(Malformed::new("the directory of the archive lies outside of it"));
        }
        Ok(directory)
    }

    /// The directory, by numbers of 64 bits; `end` is where its record of 32 bits starts.
    fn wide_directory(&self, source: &dyn ByteSource, end: u64) -> Parsed<ZipDirectory> {
        let missing = || Malformed::new("the archive lacks the numbers of 64 bits that it needs");
        let at = end.checked_sub(LOCATOR_64_LENGTH).ok_or_else(missing)?;
        let bytes = self.bytes(source, at, LOCATOR_64_LENGTH)?;
        let mut cursor = Cursor::new(&bytes);
        if cursor.u32()? != LOCATOR_64 {
            return Err(missing());
        }
        cursor.skip(4)?;
        let at = cursor.u64()?;
        let bytes = self.bytes(source, at, END_64_LENGTH)?;
        let mut cursor = Cursor::new(&bytes);
        if cursor.u32()? != END_64 {
            return Err(missing());
        }
        // The record's length, two versions, two numbers of disks.
        cursor.skip(8 + 2 + 2 + 4 + 4)?;
        let (here, count) = (cursor.u64()?, cursor.u64()?);
        let (length, start) = (cursor.u64()?, cursor.u64()?);
        if here != count {
            return Err(Malformed::new("it is a zip archive in several parts"));
        }
        Ok(ZipDirectory { count, start, length })
    }
}

/// A record as the directory has it, of which the start of the bytes is still to be found.
fn entry(cursor: &mut Cursor<'_>) -> Parsed<Record> {
    if cursor.u32()? != ENTRY {
        return Err(Malformed::new(
            "the directory of the archive holds something else than records",
        ));
    }
    cursor.skip(4)?;
    let flags = cursor.u16()?;
    let method = cursor.u16()?;
    // Time, date and checksum.
    cursor.skip(2 + 2 + 4)?;
    let (packed, length) = (cursor.u32()?, cursor.u32()?);
    let (name, extra, comment) = (cursor.u16()?, cursor.u16()?, cursor.u16()?);
    // The disk, and attributes.
    cursor.skip(2 + 2 + 4)?;
    let header = cursor.u32()?;
    let name = std::str::from_utf8(cursor.take(name.into())?);
    let name = name.map_err(|_| Malformed::new("the name of a record is no UTF-8"))?;
    let numbers = wide_numbers(cursor.take(extra.into())?, [length, packed, header], name)?;
    cursor.skip(comment.into())?;
    let [length, packed, header] = numbers;
    if method != 0 || packed != length || flags & ENCRYPTED != 0 {
        return Err(Malformed::new(text!("record {name:?} is compressed or encrypted")));
    }
    Ok(Record { name: try_boxed_str(name)?, header, start: header, length })
}

/// Numbers of 32 bits, or those of 64 bits in the extra fields where the former are all ones.
fn wide_numbers(extra: &[u8], narrow: [u32; 3], name: &str) -> Parsed<[u64; 3]> {
    let mut numbers = narrow.map(u64::from);
    if !narrow.contains(&u32::MAX) {
        return Ok(numbers);
    }
    let mut cursor = Cursor::new(extra);
    while !cursor.is_at_end() {
        let (tag, length) = (cursor.u16()?, cursor.u16()?);
        let field = cursor.take(length.into())?;
        if tag == ZIP_64 {
            let mut wide = Cursor::new(field);
            for (number, _) in numbers.iter_mut().zip(narrow).filter(|(_, own)| *own == u32::MAX) {
                *number = wide.u64()?;
            }
            return Ok(numbers);
        }
    }
    Err(Malformed::new(text!("record {name:?} lacks the numbers of 64 bits that it needs")))
}

/// Finds where the bytes of a record start: behind its own header.
fn local(source: &dyn ByteSource, record: &mut Record) -> Parsed<()> {
    let outside = || Malformed::new(text!("record {:?} lies outside of the archive", record.name));
    let names = record.name.len() as u64;
    let fixed = LOCAL_LENGTH.saturating_add(names);
    if record.header.checked_add(fixed).is_none_or(|end| end > source.length()) {
        return Err(outside());
    }
    // A name has at most 65535 bytes.
    let bytes = source.read(record.header, fixed as usize)?;
    let mut cursor = Cursor::new(&bytes);
    let signature = cursor.u32()?;
    cursor.skip(LOCAL_LENGTH.saturating_sub(4 + 2 + 2))?;
    let (name, extra) = (cursor.u16()?, cursor.u16()?);
    if signature != LOCAL
        || u64::from(name) != names
        || cursor.take(names)? != record.name.as_bytes()
    {
        let problem = text!("record {:?} has another header than the directory says", record.name);
        return Err(Malformed::new(problem));
    }
    let start = record.header.saturating_add(fixed).saturating_add(extra.into());
    if start.checked_add(record.length).is_none_or(|end| end > source.length()) {
        return Err(outside());
    }
    record.start = start;
    Ok(())
}

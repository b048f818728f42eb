//! Carrying reads out: on a few threads, straight to memory where that is contiguous.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::error::FilesError;
use super::file_copies::FileCopies;
use super::reads::{FileRead, ReadBlock, ReadOptions, Reads};
use super::request::{ReadItem, check_apart};
use super::stored::FileSet;
use super::system::OpenFile;
use crate::host::copy_list::{BitPointer, CopyList, FullSide, Units};
use crate::host::options::CopyOptions;
use crate::host::zeros::fill_with_zeros;
use crate::host::{self, threads};
use crate::memory::{self, Buffer, Memory, Text, TryVec};
use crate::model::{Error, Result};

/// Threads that read where the caller does not say how many.
const THREADS: usize = 4;
/// While the bytes of a batch are in the system's cache, one of so many reads asks whether its own bytes are
/// there too. The other reads do not ask, as the question makes a read of 4 KiB a tenth slower. If the
/// cached bytes end between two questions, the reads up to the next question wait for the disk one by one.
const READS_PER_PROBE: usize = 8;
/// Bytes that are worth a further thread.
const BYTES_PER_THREAD: u64 = 1 << 20;

/// What a read has done, also where it failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadReport {
    /// Reads that were issued.
    pub reads: u64,
    /// Bytes that they read.
    pub bytes_read: u64,
    /// Bytes that all destinations need. Where two need the same bytes, these count twice.
    pub bytes_needed: u64,
    /// For each item, whether all of its shards have all of their elements.
    pub whole: Vec<bool>,
}

/// Receives how many of how many bytes have arrived. A refusal cancels the read.
pub type Progress<'a> = dyn FnMut(u64, u64) -> Result<()> + 'a;

/// A read that is checked and laid out, and has not begun.
pub struct CheckpointRead<'a> {
    set: &'a FileSet,
    items: &'a [ReadItem<'a>],
    /// Padding of the shards, to be filled with zeros.
    holes: Vec<CopyList>,
    copies: FileCopies,
    reads: Reads,
    threads: usize,
    /// How many reads a thread takes at once.
    batch: usize,
}

/// Memory of one thread, which is there before the first read: none is asked for during a read.
struct Workspace {
    /// For the bytes of a read that go to several places.
    buffer: Option<Buffer>,
    /// The copies from there.
    list: CopyList,
}

/// What the threads of a read share.
struct RunningRead<'a> {
    read: &'a CheckpointRead<'a>,
    next: AtomicUsize,
    done: AtomicU64,
    issued: AtomicU64,
    bytes_read: AtomicU64,
    /// Bytes of each item that have not arrived.
    missing: Vec<AtomicU64>,
    /// Room for the answer.
    whole: Vec<bool>,
    /// One for each thread.
    workspaces: Vec<Mutex<Workspace>>,
    next_workspace: AtomicUsize,
    is_stopped: AtomicBool,
    refusal: Mutex<Option<Error>>,
}

impl<'a> CheckpointRead<'a> {
    /// Lays out the read of some tensors. Everything that can be refused without reading is refused
    /// here.
    pub fn new(set: &'a FileSet, items: &'a [ReadItem<'a>], options: &ReadOptions) -> Result<Self> {
        let mut copies = FileCopies::default();
        for (number, item) in items.iter().enumerate() {
            let number = u32::try_from(number)
                .map_err(|_| Error::overflow("the number of tensors of a read"))?;
            let add = |(tensor, plan)| copies.push(number, tensor, &plan, &item.shards);
            item.plan(set).and_then(add).map_err(|error| error.at("items", number as usize))?;
        }
        check_apart(items, "items")?;
        let mut holes = memory::try_with_capacity(items.len())?;
        for item in items {
            holes.push(CopyList::of_holes(&item.shards)?);
        }
        let reads = Reads::new(&copies, options)?;
        let max = if options.max_threads == 0 { THREADS } else { options.max_threads };
        let pay = usize::try_from(reads.needed / BYTES_PER_THREAD).unwrap_or(usize::MAX);
        let threads = max.min(pay).min(reads.reads.len()).max(1);
        let batch = reads.batch(threads);
        Ok(Self { set, items, holes, copies, reads, threads, batch })
    }

    /// Bytes that all destinations need. Where two need the same bytes, these count twice.
    pub fn bytes_needed(&self) -> u64 {
        self.reads.needed
    }

    /// Reads everything. A failure leaves destinations that are not whole with any elements.
    ///
    /// # Safety
    ///
    /// Every element of the items' shards may be written, and nothing else uses any of them meanwhile.
    pub unsafe fn run(&self, progress: &mut Progress<'_>) -> (ReadReport, Result<()>) {
        let shared = match RunningRead::new(self) {
            Ok(shared) => shared,
            Err(memory) => return (ReadReport::default(), Err(memory.into())),
        };
        for holes in &self.holes {
            // SAFETY: the contract of `run` lets this write every element of the shards, and `holes` lie
            // inside of them.
            unsafe { fill_with_zeros(holes) };
        }
        let listener = Listener { progress: UnsafeCell::new(progress), thread: thread_mark() };
        threads::share(self.threads, || {
            // SAFETY: the contract of `run` is that of `work`. Blocks do not overlap in memory:
            // `check_apart` has seen to that.
            if let Err(error) = unsafe { shared.work(&listener) } {
                shared.stop(error);
            }
        });
        shared.outcome(&listener)
    }
}

/// The caller's function, which is called on the caller's thread only.
struct Listener<'a, 'p> {
    progress: UnsafeCell<&'a mut Progress<'p>>,
    thread: usize,
}

// SAFETY: other threads than the one that made the `Listener` only compare their mark with `thread`.
unsafe impl Sync for Listener<'_, '_> {}

impl Listener<'_, '_> {
    /// Calls the function, if this is the caller's thread.
    fn tell(&self, done: u64, all: u64) -> Result<()> {
        if thread_mark() != self.thread {
            return Ok(());
        }
        // SAFETY: no other thread has this mark while that thread exists, so `progress` is called on one
        // thread. It is not called from inside of itself: nothing below it knows of this.
        unsafe { (*self.progress.get())(done, all) }
    }
}

/// An address that differs between threads. The standard library's numbers of threads need memory.
fn thread_mark() -> usize {
    thread_local! {
        static MARK: u8 = const { 0 };
    }
    MARK.with(|mark| std::ptr::from_ref(mark).addr())
}

impl<'a> RunningRead<'a> {
    fn new(read: &'a CheckpointRead<'a>) -> Memory<Self> {
        let mut missing = memory::try_with_capacity(read.items.len())?;
        missing.resize_with(read.items.len(), || AtomicU64::new(0));
        for block in &read.reads.blocks {
            if let Some(missing) = missing.get(read.item_of(block)) {
                missing.fetch_add(block.needed, Ordering::Relaxed);
            }
        }
        let mut workspaces = memory::try_with_capacity(read.threads)?;
        for _ in 0..read.threads {
            workspaces.try_push(Mutex::new(read.workspace()?))?;
        }
        Ok(Self {
            read,
            next: AtomicUsize::new(0),
            done: AtomicU64::new(0),
            issued: AtomicU64::new(0),
            bytes_read: AtomicU64::new(0),
            missing,
            whole: memory::try_with_capacity(read.items.len())?,
            workspaces,
            next_workspace: AtomicUsize::new(0),
            is_stopped: AtomicBool::new(false),
            refusal: Mutex::new(None),
        })
    }

    /// Takes one batch of reads after the other, until there is none or one failed.
    ///
    /// # Safety
    ///
    /// Every element of the destinations may be written, and only other threads of this read use them.
    unsafe fn work(&self, listener: &Listener<'_, '_>) -> Result<()> {
        let own = self.workspaces.get(self.next_workspace.fetch_add(1, Ordering::Relaxed));
        let Some(own) = own else { return Ok(()) };
        let mut workspace = own.lock().unwrap_or_else(PoisonError::into_inner);
        let mut open: Option<(u32, OpenFile)> = None;
        let mut batches = self.read.reads.reads.chunks(self.read.batch).enumerate();
        let mut before = 0usize;
        while !self.is_stopped.load(Ordering::Relaxed) {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let Some((_, batch)) = batches.nth(number.saturating_sub(before)) else { break };
            before = number.saturating_add(1);
            for reads in batch.chunk_by(|a, b| a.file == b.file) {
                let wanted = reads.first().map_or(0, |read| read.file);
                let file = match open.take() {
                    Some((number, opened)) if number == wanted => opened,
                    _ => self.read.open(wanted)?,
                };
                // SAFETY: the contract of `work` covers all destinations, and a batch of `reads` is taken
                // once: `next` counts up.
                unsafe { self.carry_out(reads, &file, &mut workspace) }?;
                open = Some((wanted, file));
            }
            self.tell(listener)?;
        }
        Ok(())
    }

    /// Carries out some reads of a file. What the system has to wait for is asked for at once.
    ///
    /// # Safety
    ///
    /// As [`Self::work`], and no other thread carries out these reads.
    unsafe fn carry_out(
        &self, reads: &[FileRead], file: &OpenFile, workspace: &mut Workspace,
    ) -> Result<()> {
        let (mut is_cached, mut done, mut result) = (true, 0usize, Ok(()));
        for (at, read) in reads.iter().enumerate() {
            if self.is_stopped.load(Ordering::Relaxed) {
                break;
            }
            let Some(place) = self.read.place_of(read, workspace) else { continue };
            let span = usize::try_from(read.span).unwrap_or(usize::MAX);
            let mut before = 0;
            if is_cached && at.is_multiple_of(READS_PER_PROBE) {
                // SAFETY: `place` has room for `span` bytes: a block's own bytes of a destination, which
                // the contract of `carry_out` lets this write, or bytes of this thread's own buffer.
                before = unsafe { file.cache().read(read.first_byte, place, span) }.min(span);
                is_cached = before == span;
                if !is_cached {
                    let missing = reads.get(at..).unwrap_or_default();
                    missing
                        .iter()
                        .for_each(|read| file.cache().prefetch(read.first_byte, read.span));
                }
            }
            let (name, start) = (self.read.name_of(read.file), place.wrapping_add(before));
            let first_byte = read.first_byte.saturating_add(before as u64);
            // SAFETY: `start` is `before` bytes behind `place`, which has room for `span` bytes as above.
            result = unsafe { file.read_to(name, first_byte, start, span.saturating_sub(before)) };
            if result.is_ok() {
                // SAFETY: `place_of` is where the bytes of this `read` were just read to, as the contract
                // of `distribute` requires.
                result = unsafe { self.read.distribute(read, workspace) };
            }
            if result.is_err() {
                break;
            }
            done = at.saturating_add(1);
        }
        self.count(reads.get(..done).unwrap_or_default());
        result
    }

    /// Counts reads that are carried out.
    fn count(&self, reads: &[FileRead]) {
        let (mut bytes_read, mut needed) = (0u64, 0u64);
        for read in reads {
            bytes_read = bytes_read.saturating_add(read.span);
            let blocks = self.read.reads.blocks_of(read);
            for own in blocks.chunk_by(|a, b| self.read.item_of(a) == self.read.item_of(b)) {
                let bytes = own.iter().fold(0u64, |sum, block| sum.saturating_add(block.needed));
                let item = own.first().map_or(usize::MAX, |block| self.read.item_of(block));
                if let Some(missing) = self.missing.get(item) {
                    missing.fetch_sub(bytes, Ordering::Relaxed);
                }
                needed = needed.saturating_add(bytes);
            }
        }
        self.issued.fetch_add(reads.len() as u64, Ordering::Relaxed);
        self.bytes_read.fetch_add(bytes_read, Ordering::Relaxed);
        self.done.fetch_add(needed, Ordering::Relaxed);
    }

    /// Says on the caller's thread how far the read is. That it is done is said when all threads are.
    fn tell(&self, listener: &Listener<'_, '_>) -> Result<()> {
        let (done, all) = (self.done.load(Ordering::Relaxed), self.read.reads.needed);
        if done == all { Ok(()) } else { listener.tell(done, all) }
    }

    fn stop(&self, error: Error) {
        self.is_stopped.store(true, Ordering::Relaxed);
        let mut refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        refusal.get_or_insert(error);
    }

    fn outcome(self, listener: &Listener<'_, '_>) -> (ReadReport, Result<()>) {
        let Self { read, issued, bytes_read, missing, mut whole, refusal, .. } = self;
        let needed = read.reads.needed;
        let result = match refusal.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error),
            None => listener.tell(needed, needed),
        };
        // There is room for all of them.
        whole.extend(missing.into_iter().map(|missing| missing.into_inner() == 0));
        let (reads, bytes_read) = (issued.into_inner(), bytes_read.into_inner());
        (ReadReport { reads, bytes_read, bytes_needed: needed, whole }, result)
    }
}

impl CheckpointRead<'_> {
    /// Opens a file of the set. Refused is one that is not what it was when the set was opened.
    fn open(&self, number: u32) -> Result<OpenFile> {
        let Some(stored) = self.set.files().get(number as usize) else {
            return Err(Error::invalid("file", "there is no such file"));
        };
        let file = OpenFile::open(&stored.path, stored.name())?;
        if file.state() != stored.state {
            let file = Text::copy(stored.name());
            return Err(FilesError::Changed { file }.into());
        }
        // It is known which bytes are needed: reading ahead would only read others.
        file.cache().turn_off_read_ahead();
        Ok(file)
    }

    fn name_of(&self, file: u32) -> &str {
        self.set.files().get(file as usize).map_or("", |file| file.name())
    }

    fn item_of(&self, block: &ReadBlock) -> usize {
        self.copies.copies.get(block.copy as usize).map_or(usize::MAX, |copy| copy.item as usize)
    }

    /// Memory for any one of the reads.
    fn workspace(&self) -> Memory<Workspace> {
        let (mut bytes, mut copies, mut loops) = (0, 0, 0);
        for read in self.reads.reads.iter().filter(|read| !self.reads.is_direct(read)) {
            let blocks = self.reads.blocks_of(read);
            let nests = blocks.iter().map(|block| block.nest(&self.copies).1.count());
            bytes = read.span.max(bytes);
            copies = blocks.len().max(copies);
            loops = nests.sum::<usize>().max(loops);
        }
        let length = usize::try_from(bytes).unwrap_or(usize::MAX);
        let buffer = if bytes == 0 { None } else { Some(Buffer::new(length)?) };
        Ok(Workspace { buffer, list: CopyList::with_room(FullSide::Source, copies, loops)? })
    }

    /// Where the bytes of a read go: straight to their place, or to a thread's buffer.
    fn place_of(&self, read: &FileRead, workspace: &Workspace) -> Option<*mut u8> {
        match (self.reads.blocks_of(read), &workspace.buffer) {
            ([block], _) if block.is_direct() => Some(block.destination),
            // There is a buffer for the largest read.
            (_, Some(buffer)) if buffer.len() as u64 >= read.span => Some(buffer.as_ptr()),
            _ => None,
        }
    }

    /// Copies the bytes of a read from a thread's buffer to where they belong, if they are there.
    ///
    /// # Safety
    ///
    /// They are where [`Self::place_of`] says, and the blocks' own bytes of destinations may be written.
    unsafe fn distribute(&self, read: &FileRead, workspace: &mut Workspace) -> Result<()> {
        let Workspace { buffer, list } = workspace;
        let Some(buffer) = buffer.as_ref().filter(|_| !self.reads.is_direct(read)) else {
            return Ok(());
        };
        self.list_copies(buffer, read, list)?;
        let options = CopyOptions { max_threads: 1, ..CopyOptions::default() };
        // SAFETY: `list` copies this read's bytes out of the buffer to the blocks' own bytes of
        // destinations, which the contract of `distribute` lets it write.
        unsafe { host::run(list, &options) };
        Ok(())
    }

    /// Lists the copies from a buffer with the bytes of a read to where its blocks go.
    fn list_copies(&self, buffer: &Buffer, read: &FileRead, list: &mut CopyList) -> Memory<()> {
        list.clear();
        for block in self.reads.blocks_of(read) {
            let start = block.first_byte.saturating_sub(read.first_byte);
            let source = buffer.as_ptr().wrapping_add(usize::try_from(start).unwrap_or(0));
            let (width, loops) = block.nest(&self.copies);
            let places = [source, block.destination].map(|byte| BitPointer { byte, bit: 0 });
            list.push_box(Units { width, per_byte: 1 }, places, loops)?;
        }
        Ok(())
    }
}

//! Many inputs in little time: mutations of inputs that a run with coverage kept, without watching what they
//! reach. libFuzzer's bookkeeping and the sanitizer take over nine tenths of the time of a small input.
//!
//! Targets that are built without `--cfg fuzzing` run this. `tools/fuzz.sh --many` starts them.

use std::ffi::c_int;
use std::fs;
use std::os::fd::IntoRawFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::mutate::Mutator;

/// An input that takes longer is a finding. It is time of the processor: on a busy machine inputs wait.
const MAX_SECONDS_OF_AN_INPUT: libc::time_t = 20;
/// Inputs between two looks at the clock.
const BATCH: u64 = 1 << 10;
/// Time between two lines about what was done.
const REPORT: Duration = Duration::from_secs(60);

/// The input at hand, for the handler of signals.
static INPUT: AtomicPtr<u8> = AtomicPtr::new(std::ptr::null_mut());
static LENGTH: AtomicUsize = AtomicUsize::new(0);
/// The open file for an input that fails.
static FINDING: AtomicI32 = AtomicI32::new(-1);

struct Arguments {
    seconds: u64,
    seed: u64,
    max_length: usize,
    dictionary: Option<PathBuf>,
    finding: PathBuf,
    /// Files and folders.
    inputs: Vec<PathBuf>,
}

impl Arguments {
    fn read() -> Self {
        let mut read = Self {
            seconds: 0,
            seed: 1,
            max_length: 4096,
            dictionary: None,
            finding: "finding".into(),
            inputs: Vec::new(),
        };
        for argument in std::env::args().skip(1) {
            let number = |value: &str| value.parse().expect("a number");
            match argument.split_once('=') {
                Some(("--seconds", value)) => read.seconds = number(value),
                Some(("--seed", value)) => read.seed = number(value),
                Some(("--max-length", value)) => read.max_length = number(value) as usize,
                Some(("--dictionary", value)) => read.dictionary = Some(value.into()),
                Some(("--finding", value)) => read.finding = value.into(),
                _ => read.inputs.push(argument.into()),
            }
        }
        read
    }
}

/// Runs inputs of files and, for some seconds, mutations of them.
pub fn main(run: impl Fn(&[u8])) {
    let arguments = Arguments::read();
    let corpus: Vec<Vec<u8>> = arguments.inputs.iter().flat_map(|path| files_of(path)).collect();
    let tokens = arguments.dictionary.as_deref().map(tokens_of).unwrap_or_default();
    watch(&arguments.finding);
    let mut run = |input: &[u8]| {
        INPUT.store(input.as_ptr().cast_mut(), Ordering::Relaxed);
        LENGTH.store(input.len(), Ordering::Relaxed);
        run(input);
    };
    start_timer();
    corpus.iter().for_each(|input| run(input));
    if arguments.seconds > 0 {
        mutations(&arguments, corpus, tokens, &mut run);
    }
    let _ = fs::remove_file(&arguments.finding);
}

fn mutations(
    arguments: &Arguments, corpus: Vec<Vec<u8>>, tokens: Vec<Vec<u8>>, run: &mut impl FnMut(&[u8]),
) {
    let mut done = corpus.len() as u64;
    let mut mutator = Mutator::new(arguments.seed, corpus, tokens, arguments.max_length);
    let mut input = Vec::new();
    let (start, mut reported) = (Instant::now(), Instant::now());
    loop {
        for _ in 0..BATCH {
            mutator.next(&mut input);
            run(&input);
        }
        done += BATCH;
        start_timer();
        let is_over = start.elapsed().as_secs() >= arguments.seconds;
        if is_over || reported.elapsed() > REPORT {
            println!("{done} inputs in {} s, seed {}", start.elapsed().as_secs(), arguments.seed);
            reported = Instant::now();
        }
        if is_over {
            return;
        }
    }
}

/// Starts the timer for the next inputs.
fn start_timer() {
    let none = libc::timeval { tv_sec: 0, tv_usec: 0 };
    let it_value = libc::timeval { tv_sec: MAX_SECONDS_OF_AN_INPUT, tv_usec: 0 };
    let timer = libc::itimerval { it_interval: none, it_value };
    // SAFETY: `setitimer` reads `timer`, and writes nothing to a null pointer.
    unsafe { libc::setitimer(libc::ITIMER_PROF, &timer, std::ptr::null_mut()) };
}

/// The bytes of a file, or of the files of a folder.
fn files_of(path: &Path) -> Vec<Vec<u8>> {
    if path.is_file() {
        return vec![fs::read(path).expect("a file")];
    }
    let mut names: Vec<PathBuf> = fs::read_dir(path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .map(|entry| entry.expect("an entry").path())
        .collect();
    // The same corpus and the same seed are the same run.
    names.sort();
    names.iter().filter(|path| path.is_file()).map(|path| fs::read(path).expect("a file")).collect()
}

/// The tokens of a dictionary of libFuzzer: on each line a text in quotes, with `\\`, `\"` and `\xAB`.
fn tokens_of(path: &Path) -> Vec<Vec<u8>> {
    let text = fs::read_to_string(path).expect("a dictionary");
    let quoted = text.lines().filter_map(|line| {
        let line = line.trim();
        if line.starts_with('#') { None } else { line.split_once('"')?.1.strip_suffix('"') }
    });
    quoted
        .map(|quoted| {
            let (mut token, mut rest) = (Vec::new(), quoted.as_bytes());
            while let Some((&first, behind)) = rest.split_first() {
                let byte;
                (byte, rest) = match (first, behind) {
                    (b'\\', [b'x', digits @ ..]) => {
                        let digits = digits.split_at_checked(2).expect("two digits");
                        let number = std::str::from_utf8(digits.0).expect("digits");
                        (u8::from_str_radix(number, 16).expect("digits"), digits.1)
                    }
                    (b'\\', [escaped, behind @ ..]) => (*escaped, behind),
                    _ => (first, behind),
                };
                token.push(byte);
            }
            token
        })
        .collect()
}

/// Writes the input at hand to a file if the process is about to end: by a panic, by a fault, or because an
/// input takes too long.
fn watch(finding: &Path) {
    let file = fs::File::create(finding).expect("a file for an input that fails");
    FINDING.store(file.into_raw_fd(), Ordering::Relaxed);
    std::panic::set_hook(Box::new(|panic| {
        eprintln!("{panic}\n{}", std::backtrace::Backtrace::force_capture());
        std::process::abort();
    }));
    let handler = on_signal as extern "C" fn(c_int) as libc::sighandler_t;
    for signal in [libc::SIGABRT, libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGPROF] {
        // SAFETY: zeros are a `sigaction` without flags, with an empty mask and the default handler.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = handler;
        // A stack that overflowed is no place for a handler; Rust's runtime has set up another.
        action.sa_flags = libc::SA_ONSTACK | libc::SA_RESETHAND;
        // SAFETY: `action` is initialised, and `on_signal` only calls functions that are safe in a handler.
        unsafe { libc::sigaction(signal, &action, std::ptr::null_mut()) };
    }
}

extern "C" fn on_signal(signal: c_int) {
    let (input, length) = (INPUT.load(Ordering::Relaxed), LENGTH.load(Ordering::Relaxed));
    // SAFETY: `INPUT` and `LENGTH` are an input that `main` borrows while it runs. `write`, `signal` and
    // `raise` may be called in a handler.
    unsafe {
        libc::write(FINDING.load(Ordering::Relaxed), input.cast(), length);
        libc::signal(signal, libc::SIG_DFL);
        libc::raise(signal);
    }
}

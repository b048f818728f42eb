use std::cell::RefCell;
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use super::hazard::{Use, Users};
use super::hazard_records::VISITED;
use super::key::{GENERATIONS, KEY_BITS};
use super::slot_map::{ProtectError, Protected, SlotMap};

/// A table of its own for a test: tables are never freed.
fn table<T: Send + Sync>() -> &'static SlotMap<T> {
    Box::leak(Box::new(SlotMap::new()))
}

/// Counts how often it is dropped, and holds two numbers that are always equal.
struct Pair {
    numbers: [usize; 2],
    drops: Arc<AtomicUsize>,
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.numbers[0] = usize::MAX;
        self.drops.fetch_add(1, Ordering::SeqCst);
        self.numbers[1] = usize::MAX - 1;
    }
}

fn pair(number: usize, drops: &Arc<AtomicUsize>) -> Pair {
    Pair { numbers: [number; 2], drops: Arc::clone(drops) }
}

#[test]
fn an_object_is_dropped_by_its_last_user() {
    let (pairs, drops) = (table(), Arc::new(AtomicUsize::new(0)));
    let key = pairs.insert(pair(1, &drops), 0).unwrap();
    let first = pairs.protect(key, Use::Reads).unwrap();
    let second = pairs.protect(key, Use::Runs).unwrap();
    assert!(pairs.free(key) && !pairs.free(key));
    assert!(matches!(pairs.protect(key, Use::Reads), Err(ProtectError::Gone)));
    drop(first);
    assert_eq!((second.numbers, drops.load(Ordering::SeqCst)), ([1; 2], 0));
    drop(second);
    assert_eq!(drops.load(Ordering::SeqCst), 1);
    let unused = pairs.insert(pair(2, &drops), 0).unwrap();
    assert!(pairs.free(unused));
    assert_eq!(drops.load(Ordering::SeqCst), 2);
}

#[test]
fn a_key_is_never_valid_again() {
    let numbers = table();
    let mut seen = std::collections::HashSet::new();
    for number in 0..1000 {
        let key = numbers.insert(number, 0).unwrap();
        assert!(seen.insert(key));
        assert!(seen.iter().filter(|&&key| numbers.protect(key, Use::Reads).is_ok()).count() == 1);
        assert!(numbers.free(key));
    }
}

#[test]
fn a_label_is_known_as_long_as_the_object_is_there() {
    let numbers = table();
    let key = numbers.insert(7, 70).unwrap();
    let object = numbers.protect(key, Use::Reads).unwrap();
    assert_eq!(numbers.label(key), Some(70));
    numbers.free(key);
    assert_eq!((numbers.label(key), *object), (None, 7));
    drop(object);
    let next = numbers.insert(8, 80).unwrap();
    assert_eq!((numbers.label(key), numbers.label(next)), (None, Some(80)));
}

/// More uses at once than a record has hazard pointers, cleared in another order than they were
/// set.
#[test]
fn a_thread_may_use_any_number_of_objects_at_once() {
    let (pairs, drops) = (table(), Arc::new(AtomicUsize::new(0)));
    let keys: Vec<u64> = (0..50).map(|i| pairs.insert(pair(i, &drops), 0).unwrap()).collect();
    let mut protected: Vec<Protected<Pair>> =
        keys.iter().map(|&key| pairs.protect(key, Use::Reads).unwrap()).collect();
    assert!(keys.iter().all(|&key| pairs.free(key)));
    assert_eq!(drops.load(Ordering::SeqCst), 0);
    for (dropped, at) in (0..50).rev().step_by(2).chain((0..50).step_by(2)).enumerate() {
        assert_eq!(drops.load(Ordering::SeqCst), dropped);
        let place = protected.iter().position(|object| object.numbers == [at; 2]).unwrap();
        protected.remove(place);
    }
    assert_eq!(drops.load(Ordering::SeqCst), 50);
}

#[test]
fn who_runs_is_known_and_readers_do_not_count() {
    let numbers = table();
    let key = numbers.insert(1, 0).unwrap();
    let reads = numbers.protect(key, Use::Reads).unwrap();
    assert_eq!(numbers.running(key), Some(Users::None));
    let runs = numbers.protect(key, Use::Runs).unwrap();
    assert_eq!(numbers.running(key), Some(Users::Me));
    thread::scope(|scope| {
        scope.spawn(|| assert_eq!(numbers.running(key), Some(Users::Others)));
    });
    drop((reads, runs));
    assert_eq!(numbers.running(key), Some(Users::None));
    numbers.free(key);
    assert_eq!(numbers.running(key), None);
}

#[test]
fn retiring_waits_for_all_others_and_drops_on_its_own_thread() {
    let (pairs, drops) = (table(), Arc::new(AtomicUsize::new(0)));
    let key = pairs.insert(pair(1, &drops), 0).unwrap();
    let (inside, retired) = (AtomicUsize::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let object = pairs.protect(key, Use::Runs).unwrap();
                inside.fetch_add(1, Ordering::SeqCst);
                while pairs.protect(key, Use::Reads).is_ok() {
                    thread::yield_now();
                }
                thread::sleep(Duration::from_millis(20));
                assert!(!retired.load(Ordering::SeqCst));
                assert_eq!(object.numbers, [1; 2]);
            });
        }
        while inside.load(Ordering::SeqCst) < 3 {
            thread::yield_now();
        }
        assert!(pairs.retire(key));
        retired.store(true, Ordering::SeqCst);
        assert_eq!(drops.load(Ordering::SeqCst), 1);
    });
    assert!(!pairs.retire(key) && !pairs.free(key));
}

/// Threads that make, use, share and free objects of one table at random.
#[test]
fn nothing_is_seen_after_it_was_dropped_and_everything_is_dropped_once() {
    const THREADS: usize = 4;
    const ROUNDS: usize = 20_000;
    let (pairs, drops) = (table(), Arc::new(AtomicUsize::new(0)));
    let shared: Vec<AtomicUsize> = (0..8).map(|_| AtomicUsize::new(0)).collect();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (shared, drops) = (&shared, &drops);
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let key = pairs.insert(pair(round, drops), round as u64).unwrap();
                    let before =
                        shared[(round * 7 + thread) % 8].swap(key as usize, Ordering::SeqCst);
                    let other = shared[round % 8].load(Ordering::SeqCst) as u64;
                    if let Ok(object) = pairs.protect(other, Use::Reads) {
                        let [first, second] = object.numbers;
                        assert_eq!(first, second);
                        assert!(pairs.label(other).is_none_or(|label| label == first as u64));
                    }
                    let gone = if round % 3 == 0 {
                        pairs.retire(before as u64)
                    } else {
                        pairs.free(before as u64)
                    };
                    assert!(gone || before == 0);
                }
            });
        }
    });
    let left = shared.iter().filter(|key| pairs.free(key.load(Ordering::SeqCst) as u64)).count();
    assert_eq!(left, 8);
    assert_eq!(drops.load(Ordering::SeqCst), THREADS * ROUNDS);
}

/// A destructor of a thread's own variables, which may run when the thread's lines are given back.
#[test]
fn objects_can_be_used_while_a_thread_ends() {
    struct AtEnd(u64);
    static NUMBERS: SlotMap<u64> = SlotMap::new();
    static SEEN: AtomicUsize = AtomicUsize::new(0);
    impl Drop for AtEnd {
        fn drop(&mut self) {
            let protected: Vec<_> =
                (0..9).map(|_| NUMBERS.protect(self.0, Use::Runs).unwrap()).collect();
            assert_eq!(NUMBERS.running(self.0), Some(Users::Me));
            SEEN.fetch_add(
                protected.iter().map(|object| **object as usize).sum(),
                Ordering::SeqCst,
            );
        }
    }
    thread_local! {
        static AT_END: RefCell<Option<AtEnd>> = const { RefCell::new(None) };
    }
    let key = NUMBERS.insert(5, 0).unwrap();
    for uses_before in [false, true] {
        let thread = thread::spawn(move || {
            // Registered before the lines' own destructor, and so run after it.
            AT_END.set(Some(AtEnd(key)));
            if uses_before {
                drop(NUMBERS.protect(key, Use::Reads));
            }
        });
        thread.join().unwrap();
    }
    assert_eq!(SEEN.load(Ordering::SeqCst), 2 * 9 * 5);
    assert_eq!(NUMBERS.running(key), Some(Users::None));
    assert!(NUMBERS.retire(key));
}

/// A destructor of a key of the user's, which runs once more after the lines were given back.
#[cfg(unix)]
#[test]
fn objects_can_be_used_after_a_thread_released_its_records() {
    static NUMBERS: SlotMap<u64> = SlotMap::new();
    static SEEN: AtomicUsize = AtomicUsize::new(0);
    static AT_END: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn at_end(turn: *mut c_void) {
        let (key, turn) = (AT_END.load(Ordering::SeqCst), turn.addr());
        let number = NUMBERS.insert(5, 0).unwrap();
        let protected: Vec<_> =
            (0..9).map(|_| NUMBERS.protect(number, Use::Runs).unwrap()).collect();
        assert_eq!(NUMBERS.running(number), Some(Users::Me));
        SEEN.fetch_add(protected.iter().map(|object| **object as usize).sum(), Ordering::SeqCst);
        drop(protected);
        assert_eq!(NUMBERS.running(number), Some(Users::None));
        assert!(NUMBERS.retire(number));
        if turn < 3 {
            let next = std::ptr::without_provenance::<c_void>(turn + 1);
            // SAFETY: the key was made below.
            assert_eq!(unsafe { libc::pthread_setspecific(key as libc::pthread_key_t, next) }, 0);
        }
    }
    let mut key = 0;
    // SAFETY: there is place for a key.
    assert_eq!(unsafe { libc::pthread_key_create(&raw mut key, Some(at_end)) }, 0);
    AT_END.store(key as usize, Ordering::SeqCst);
    for uses_before in [false, true] {
        let thread = thread::spawn(move || {
            let first = std::ptr::without_provenance::<c_void>(1);
            // SAFETY: the key was made above.
            assert_eq!(unsafe { libc::pthread_setspecific(key, first) }, 0);
            if uses_before {
                let number = NUMBERS.insert(5, 0).unwrap();
                drop(NUMBERS.protect(number, Use::Reads).unwrap());
                NUMBERS.free(number);
            }
        });
        thread.join().unwrap();
    }
    assert_eq!(SEEN.load(Ordering::SeqCst), 2 * 3 * 9 * 5);
}

#[test]
fn a_scan_skips_threads_that_have_ended() {
    const THREADS: usize = 400;
    let numbers = table();
    let key = numbers.insert(1, 0).unwrap();
    let looked_at = || {
        let before = VISITED.get();
        assert_eq!(numbers.running(key), Some(Users::None));
        VISITED.get() - before
    };
    let all_there = Barrier::new(THREADS + 1);
    let mut while_there = 0;
    thread::scope(|scope| {
        let use_and_wait = || {
            let object = numbers.protect(key, Use::Reads).unwrap();
            all_there.wait();
            all_there.wait();
            assert_eq!(*object, 1);
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(use_and_wait)).collect();
        all_there.wait();
        while_there = looked_at();
        all_there.wait();
        // A scope does not wait until its threads are gone.
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
    // Other tests have threads as well, but not as many.
    let afterwards = looked_at();
    assert!(while_there >= THREADS && afterwards < THREADS / 2, "{while_there}, {afterwards}");
    assert!(numbers.free(key));
}

/// More lines than a leaf and a branch have, of one thread.
#[test]
fn a_thread_that_needs_many_lines_gives_them_all_back() {
    let numbers = table();
    let key = numbers.insert(1, 0).unwrap();
    thread::spawn(move || {
        let protected: Vec<_> =
            (0..5000).map(|_| numbers.protect(key, Use::Runs).unwrap()).collect();
        assert_eq!(numbers.running(key), Some(Users::Me));
        assert_eq!(protected.len(), 5000);
    })
    .join()
    .unwrap();
    let before = VISITED.get();
    assert_eq!(numbers.running(key), Some(Users::None));
    assert!(VISITED.get() - before < 500);
    assert!(numbers.retire(key));
}

/// A thread that tries a key of an object that is gone does not keep its successor in the same slot.
#[test]
fn a_stale_key_does_not_delay_the_end_of_what_came_after() {
    struct DropsHere(thread::ThreadId, Arc<AtomicUsize>);
    impl Drop for DropsHere {
        fn drop(&mut self) {
            assert_eq!(self.0, thread::current().id());
            self.1.fetch_add(1, Ordering::SeqCst);
        }
    }
    let (objects, drops) = (table(), Arc::new(AtomicUsize::new(0)));
    let here = || DropsHere(thread::current().id(), Arc::clone(&drops));
    let stale = objects.insert(here(), 0).unwrap();
    assert!(objects.free(stale));
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    assert!(objects.protect(stale, Use::Reads).is_err());
                }
            });
        }
        for round in 2..200_000 {
            let key = objects.insert(here(), 0).unwrap();
            assert!(objects.free(key));
            if drops.load(Ordering::SeqCst) != round {
                done.store(true, Ordering::Relaxed);
                panic!("not dropped when it was freed");
            }
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn generations_begin_somewhere_else_in_each_slot() {
    let (one, other) = (table(), table());
    let keys: Vec<u64> =
        (0..100).map(|number| [one, other][number % 2].insert(number, 0).unwrap()).collect();
    let generations: std::collections::HashSet<u64> =
        keys.iter().map(|&key| key % GENERATIONS as u64).collect();
    assert!(generations.len() > 95);
    assert!(keys.iter().all(|&key| key < 1 << KEY_BITS));
}

/// Two copies of the library in one process differ as two tables do.
#[test]
fn a_key_of_one_table_is_no_key_of_another() {
    let (one, other) = (table(), table());
    let keys = |numbers: &'static SlotMap<usize>| -> Vec<u64> {
        (0..1000).map(|number| numbers.insert(number, 0).unwrap()).collect()
    };
    let (ones, others) = (keys(one), keys(other));
    let found = |numbers: &'static SlotMap<usize>, keys: &[u64]| {
        keys.iter().filter(|&&key| numbers.label(key).is_some()).count()
    };
    assert_eq!((found(one, &ones), found(other, &others)), (1000, 1000));
    // Each is one by chance in 2^43 / 1000 of cases.
    assert_eq!((found(one, &others), found(other, &ones)), (0, 0));
}

#[test]
fn a_slot_is_retired_when_its_generations_run_out() {
    let numbers = table();
    let mut keys = Vec::new();
    for round in 0..3 * GENERATIONS + 1 {
        let key = numbers.insert(round, 0).unwrap();
        keys.push(key);
        assert!(if round % 2 == 0 { numbers.free(key) } else { numbers.retire(key) });
        assert_eq!(numbers.running(key), None);
        assert_eq!(numbers.used() as usize, round / GENERATIONS + 1);
    }
    // The first and the last of each slot are as stale as all others.
    assert!(keys.iter().all(|&key| numbers.label(key).is_none() && !numbers.free(key)));
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 3 * GENERATIONS + 1);
}

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// Counts how often it is dropped.
struct Counting<'a>(&'a AtomicUsize);

impl Drop for Counting<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_shared_value_is_dropped_once_with_its_last_owner() {
    let drops = AtomicUsize::new(0);
    let first = Shared::try_new(Counting(&drops)).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let owner = first.clone();
            scope.spawn(move || (0..1000).map(|_| owner.clone()).for_each(drop));
        }
    });
    assert_eq!(drops.load(Ordering::Relaxed), 0);
    drop(first);
    assert_eq!(drops.load(Ordering::Relaxed), 1);
}

#[test]
fn a_shared_value_can_be_changed_by_its_only_owner() {
    let mut first = Shared::try_new(1).unwrap();
    let second = first.clone();
    assert!(Shared::ptr_eq(&first, &second));
    assert_eq!(Shared::get_mut(&mut first), None);
    drop(second);
    *Shared::get_mut(&mut first).unwrap() = 2;
    assert_eq!(*first, 2);
}

#[test]
fn a_shared_box_is_a_trait_object() {
    let boxed: Box<dyn Fn(i32) -> i32 + Send + Sync> = try_box(|x| x + 1).unwrap();
    let shared = Shared::try_new(boxed).unwrap();
    assert_eq!(shared(2), 3);
}

#[test]
fn a_length_that_no_memory_has_is_refused_and_the_vector_stays_as_it_was() {
    const TOO_MANY: usize = isize::MAX as usize / 8;
    let mut vec = vec![1u64, 2];
    assert_eq!(vec.try_resize(TOO_MANY, 0), Err(OutOfMemory { bytes: (TOO_MANY - 2) * 8 }));
    assert_eq!(vec, [1, 2]);
    assert!(try_filled(0u64, TOO_MANY).is_err());
    assert!(try_with_capacity::<u64>(usize::MAX).is_err());
    let text: &str = &Text::format(format_args!("{}{}", "a", 1));
    assert_eq!(text, "a1");
}

#[test]
fn vectors_grow_by_any_iterator() {
    let mut vec = try_collect((0..5).filter(|x| x % 2 == 0)).unwrap();
    vec.try_extend([7, 8]).unwrap();
    vec.try_extend_from_slice(&[9]).unwrap();
    assert_eq!(vec, [0, 2, 4, 7, 8, 9]);
    assert_eq!(*vec.try_into_boxed().unwrap(), [0, 2, 4, 7, 8, 9]);
    assert_eq!(&*try_boxed_str("owner").unwrap(), "owner");
}

#[test]
fn the_first_error_of_an_iterator_ends_it() {
    let asked = Cell::new(0);
    let numbers = (0..9).map(|x| {
        asked.set(x);
        if x < 3 { Ok(x) } else { Err(OutOfMemory { bytes: x }) }
    });
    assert_eq!(try_collect_results(numbers), Err(OutOfMemory { bytes: 3 }));
    assert_eq!(asked.get(), 3);
}

#[test]
fn a_boxed_value_is_dropped_as_any_other() {
    let value = Rc::new(());
    let boxed = try_box(Rc::clone(&value)).unwrap();
    assert_eq!(Rc::strong_count(&value), 2);
    drop(boxed);
    assert_eq!(Rc::strong_count(&value), 1);
    assert_eq!(*try_box(()).unwrap(), ());
}

#[test]
fn a_text_is_its_words() {
    let text = text!("{} of {}", 1, 2);
    assert_eq!(text.as_str(), "1 of 2");
    assert_eq!(text.clone(), text);
    assert_eq!(Text::from("static"), *"static");
    assert_eq!(Text::copy("copied").to_string(), "copied");
}

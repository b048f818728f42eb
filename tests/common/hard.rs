//! Families of boxes that are hard for one algorithm or another, by their names.

use super::families::{self, Cut};
use super::{Boxes, Random};

/// About `n` boxes of the family of that name.
pub fn family(name: &str, n: i64) -> Cut {
    let mut random = Random::new(4);
    match name {
        "peeled, columns first" => families::columns_then_rows(n),
        "peeled" => families::peeled(3, n),
        "nested" => families::nested(n),
        "nested in 3-D" => families::nested_cubes(n),
        "sticks" => families::sticks(4, n),
        "random sticks" => families::random_sticks(n, &mut random),
        "rods" => families::rods(((n / 3) as f64).sqrt() as i64),
        "gadgets" => families::gadgets(n, &mut random),
        "pinwheels" => families::pinwheels(&[1 << 15; 4], n as usize, &mut random),
        "halved" => families::halved(16, n.ilog2()),
        "partition" => families::partition(&[1 << 15; 4], n as usize, &mut random),
        "equal" => {
            let mut boxes = Boxes::new(3);
            (0..n).for_each(|_| boxes.push(&[4, 5, 6], &[1, 2, 3]));
            Cut { sizes: vec![9; 3], boxes }
        }
        _ => panic!("{name}"),
    }
}

pub const FAMILIES: [&str; 12] = [
    "peeled, columns first",
    "peeled",
    "nested",
    "nested in 3-D",
    "sticks",
    "random sticks",
    "rods",
    "gadgets",
    "pinwheels",
    "halved",
    "partition",
    "equal",
];

/// Slab k is one index thick in dimension k, in the middle.
pub fn slabs(ndim: usize) -> Cut {
    let mut boxes = Boxes::new(ndim);
    for slab in 0..ndim {
        let (mut offsets, mut sizes) = (vec![0; ndim], vec![3; ndim]);
        (offsets[slab], sizes[slab]) = (1, 1);
        boxes.push(&offsets, &sizes);
    }
    Cut { sizes: vec![3; ndim], boxes }
}

use super::*;
use crate::model::Placement;
use crate::model::placements::Placements;

const INT4: DataType = DataType { code: 0, bits: 4, lanes: 1 };
const INT8: DataType = DataType { code: 0, bits: 8, lanes: 1 };
const FLOAT: DataType = DataType::FLOAT32;

/// Three rows of a matrix: of 4, 1 and 0 lines of 3 elements.
fn layout() -> Shared<Shards> {
    let placement = Placement::on_rank(0).unwrap();
    let placements = Placements::new(std::iter::repeat_n(placement, 3)).unwrap();
    let shards = Shards::new(2, vec![0, 0, 4, 0, 5, 0], vec![4, 3, 1, 3, 0, 3], placements);
    Shared::try_new(shards.unwrap()).unwrap()
}

fn at(address: usize) -> *mut u8 {
    std::ptr::without_provenance_mut(address)
}

/// Some shards: the index, the address, and the stride of rows, in elements.
fn shards(dtype: DataType, of: &[(usize, usize, i64)]) -> LocalShards {
    shards_of(&layout(), dtype, of)
}

fn shards_of(layout: &Shared<Shards>, dtype: DataType, of: &[(usize, usize, i64)]) -> LocalShards {
    let mut shards =
        LocalShards::builder(layout, ShardArguments::SHARDS, Some(dtype), of.len()).unwrap();
    for &(index, address, rows) in of {
        let shape = [[4, 3], [1, 3], [0, 3]][index];
        let view = HostView::new("view", at(address), dtype, &shape, Some(&[rows, 1])).unwrap();
        shards.push(index, &view).unwrap();
    }
    shards.finish().unwrap()
}

#[test]
fn shards_reach_from_the_lowest_byte_to_the_highest_of_all() {
    assert_eq!(shards(FLOAT, &[(2, 77, 3)]).reach(), None);
    assert_eq!(shards(FLOAT, &[]).reach(), None);
    assert_eq!(shards(FLOAT, &[(1, 400, 3)]).reach(), Some((400, 412)));
    let all = [(0, 1000, -5), (1, 400, 3), (2, 8, 3)];
    assert_eq!(shards(FLOAT, &all).reach(), Some((400, 1012)));
    assert_eq!(shards(FLOAT, &all[..1]).reach(), Some((940, 1012)));
}

#[test]
fn elements_are_counted_in_whole_bytes() {
    for (dtype, elements, bytes) in [(INT4, 0, 0), (INT4, 3, 2), (INT4, 4, 2), (FLOAT, 3, 12)] {
        assert_eq!(shards(dtype, &[(0, 64, 3)]).bytes_of(elements), bytes, "{elements} {dtype}");
    }
}

#[test]
fn shards_are_like_those_before_in_other_memory_only() {
    let before = shards(FLOAT, &[(0, 1000, 3), (1, 2000, 3)]);
    let check = |dtype, of: &[(usize, usize, i64)]| shards(dtype, of).check_like(&before);
    assert_eq!(check(FLOAT, &[(0, 1000, 3), (1, 2000, 3)]), Ok(()));
    assert_eq!(check(FLOAT, &[(0, 64, 3), (1, 5000, 3)]), Ok(()));
    // The stride of one row is never used.
    assert_eq!(check(FLOAT, &[(0, 1000, 3), (1, 2000, 9)]), Ok(()));
    let text = |said: Result<()>| said.unwrap_err().to_string();
    assert!(text(check(FLOAT, &[(0, 1000, 3)])).contains("other shards"));
    assert!(text(check(FLOAT, &[(0, 1000, 3), (2, 2000, 3)])).contains("other shards"));
    assert!(text(check(INT8, &[(0, 1000, 3), (1, 2000, 3)])).contains("int8"));
    assert!(text(check(FLOAT, &[(0, 1000, 4), (1, 2000, 3)])).contains("0 has other strides"));
    // Neither is in row-major order, or only one is, whichever.
    let spread = shards(FLOAT, &[(0, 1000, 4)]);
    assert_eq!(shards(FLOAT, &[(0, 64, 4)]).check_like(&spread), Ok(()));
    assert!(shards(FLOAT, &[(0, 64, 5)]).check_like(&spread).is_err());
    assert!(shards(FLOAT, &[(0, 64, 3)]).check_like(&spread).is_err());
    assert!(before.is_in_memory_of(&shards(FLOAT, &[(0, 1000, 3), (1, 2000, 3)])));
    assert!(!before.is_in_memory_of(&shards(FLOAT, &[(0, 1000, 3), (1, 2004, 3)])));
}

#[test]
fn two_shards_are_copied_as_bytes_where_elements_and_strides_are_the_same() {
    let one = shards(FLOAT, &[(0, 1000, 4), (1, 2000, 3)]);
    let firsts = |number, other: &LocalShards| one.like(number, other);
    let both = |a, b| Some([at(a), at(b)]);
    let other = shards(FLOAT, &[(0, 64, 4), (1, 5000, 3)]);
    assert_eq!((firsts(0, &other), firsts(1, &other)), (both(1000, 64), both(2000, 5000)));
    let other = shards(FLOAT, &[(0, 64, 3), (1, 5000, 3)]);
    assert_eq!((firsts(0, &other), firsts(1, &other)), (None, both(2000, 5000)));
    // Rows of 16 bytes, of elements of another width.
    let other = shards(INT8, &[(0, 64, 16), (1, 5000, 12)]);
    assert_eq!((firsts(0, &other), firsts(1, &other)), (None, None));
    let elsewhere = one.elsewhere(&[at(64), at(5000)]).unwrap().unwrap();
    assert_eq!(firsts(0, &elsewhere), both(1000, 64));
}

#[test]
fn a_shape_is_told_of_row_major_shards_only() {
    let some = shards(FLOAT, &[(0, 1000, 3), (1, 2000, 3)]);
    assert_eq!(some.row_major_shape(0), Some(&[4, 3][..]));
    assert_eq!(some.row_major_shape(1), Some(&[1, 3][..]));
    assert_eq!(shards(FLOAT, &[(0, 1000, 4)]).row_major_shape(0), None);
}

#[test]
fn shards_are_elsewhere_where_each_fits_the_address_space() {
    const END: usize = usize::MAX;
    // 60 bytes before its first element, and 12 behind.
    let one = shards(FLOAT, &[(0, 1000, -5)]);
    for (address, fits) in
        [(61, true), (60, false), (59, false), (END - 12, true), (END - 11, false)]
    {
        let there = one.elsewhere(&[at(address)]).unwrap();
        assert_eq!(there.is_some(), fits, "{address:#x}");
        let expected = fits.then(|| at(address));
        assert_eq!(there.map(|there| there.view(0).first()), expected);
    }
    let two = shards(FLOAT, &[(0, 1000, 3), (1, 2000, 3)]);
    let there = two.elsewhere(&[at(64), at(128)]).unwrap().unwrap();
    assert_eq!((there.view(0).first(), there.view(1).first()), (at(64), at(128)));
    assert_eq!(there.view(0).shape(), [4, 3]);
    assert!(two.elsewhere(&[at(64), at(END)]).unwrap().is_none());
    assert!(two.elsewhere(&[at(64)]).unwrap().is_none());
    assert!(two.elsewhere(&[at(64), at(128), at(512)]).unwrap().is_none());
    // Given in another order than that of their indices.
    let swapped = shards(FLOAT, &[(1, 2000, 3), (0, 1000, 3)]);
    assert!(swapped.elsewhere(&[at(64), at(128)]).unwrap().is_none());
    assert_eq!((swapped.position(0), swapped.position(1)), (1, 0));
    // One without elements is nowhere.
    assert!(shards(FLOAT, &[(2, 1000, 3)]).elsewhere(&[at(64)]).unwrap().is_none());
}

#[test]
fn shards_of_other_elements_are_refused_and_none_are_of_any() {
    assert_eq!(shards(FLOAT, &[(1, 64, 3)]).check_dtype(FLOAT), Ok(()));
    assert!(shards(FLOAT, &[(1, 64, 3)]).check_dtype(INT8).is_err());
    assert_eq!(shards(FLOAT, &[]).check_dtype(INT8), Ok(()));
}

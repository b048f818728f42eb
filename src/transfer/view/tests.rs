use super::*;

/// All that there is of a view.
fn all(view: &HostView) -> (*mut u8, usize, DataType, usize, Vec<i64>, Vec<i64>) {
    let (shape, strides) = (view.shape().to_vec(), view.strides().to_vec());
    (view.first, view.bit(), view.dtype, view.width, shape, strides)
}

type Form<'a> = (DataType, &'a [i64], Option<&'a [i64]>);

#[test]
fn a_view_that_is_set_again_keeps_nothing_of_what_it_was() {
    let int4 = DataType { code: 0, bits: 4, lanes: 1 };
    let first = std::ptr::without_provenance_mut(1 << 20);
    let forms: [Form<'_>; 6] = [
        (DataType::FLOAT32, &[2; MAX_NDIM / 2], None),
        (int4, &[3, 5], Some(&[-5, 1])),
        (DataType::FLOAT32, &[3, 0], Some(&[7, 7])),
        (DataType::FLOAT32, &[], None),
        (int4, &[4], None),
        (DataType::FLOAT32, &[1, 6], Some(&[9, 2])),
    ];
    let new = |(dtype, shape, strides): Form<'_>| {
        HostView::new("view", first, dtype, shape, strides).unwrap()
    };
    for (before, after) in forms.iter().flat_map(|a| forms.iter().map(|b| (*a, *b))) {
        let mut view = new(before);
        if let [_, columns] = *before.1 {
            view = view.sub_box(&[0, 1], &[1, (columns - 1).max(0)]);
        }
        view.set("view", first, after.0, after.1, after.2).unwrap();
        assert_eq!(all(&view), all(&new(after)), "{after:?} after {before:?}");
    }
}

fn at(address: usize) -> *mut u8 {
    std::ptr::without_provenance_mut(address)
}

const INT4: DataType = DataType { code: 0, bits: 4, lanes: 1 };
const BYTE: DataType = DataType { code: 1, bits: 8, lanes: 1 };

/// Element type, address, shape and strides.
type Case = (DataType, usize, &'static [i64], Option<&'static [i64]>);

#[test]
fn a_view_fits_the_address_space_to_its_last_byte() {
    const END: usize = usize::MAX;
    const FAR: i64 = i64::MAX;
    let fits: &[Case] = &[
        (BYTE, 1, &[4], None),
        (BYTE, 4, &[4], Some(&[-1])),
        (BYTE, END - 4, &[4], None),
        (BYTE, END - 2, &[2, 2], Some(&[-9, 1])),
        (BYTE, 20, &[2, 2], Some(&[-9, -10])),
        (BYTE, 1 << 62, &[2, 2], Some(&[1 << 61, -(1 << 61)])),
        (BYTE, 0, &[4, 0], None),
        // The last one ends inside of a byte, at the end of a byte, and behind its first.
        (INT4, END - 2, &[3], None),
        (INT4, END - 2, &[4], None),
        (INT4, END - 1, &[1], None),
        (INT4, 2, &[2], Some(&[-2])),
        (INT4, 2, &[2], Some(&[-1])),
        (INT4, END - 8, &[2], Some(&[14])),
        (BYTE, 7, &[1, 2], Some(&[i64::MIN, 1])),
        (DataType::FLOAT32, 8, &[1], Some(&[FAR])),
    ];
    let exceed: &[Case] = &[
        (BYTE, 3, &[4], Some(&[-1])),
        (BYTE, END - 3, &[4], None),
        (BYTE, END - 1, &[2, 2], Some(&[-9, 1])),
        (BYTE, 19, &[2, 2], Some(&[-9, -10])),
        (BYTE, 1 << 62, &[2, 2], Some(&[FAR - 1, -2])),
        (BYTE, 1 << 62, &[2, 2], Some(&[-FAR, -FAR])),
        (INT4, END - 1, &[3], None),
        (INT4, END - 1, &[4], None),
        (INT4, END, &[1], None),
        (INT4, 1, &[2], Some(&[-2])),
        (INT4, 1, &[2], Some(&[-1])),
        (INT4, END - 7, &[2], Some(&[14])),
        (DataType::FLOAT32, 8, &[2], Some(&[FAR])),
        (BYTE, 8, &[1 << 40, 1 << 40], None),
    ];
    for (is_legal, cases) in [(true, fits), (false, exceed)] {
        for &(dtype, address, shape, strides) in cases {
            let said = HostView::new("view", at(address), dtype, shape, strides);
            let case = format!("{dtype} {shape:?} by {strides:?} at {address:#x}");
            match said {
                Ok(_) => assert!(is_legal, "{case}"),
                Err(Error::Overflow { .. }) => assert!(!is_legal, "{case}"),
                Err(other) => panic!("{case}: {other:?}"),
            }
        }
    }
}

#[test]
fn elements_at_address_0_are_missing_unless_they_would_not_fit_anywhere() {
    let refused = |shape: &[i64], strides: Option<&[i64]>| {
        HostView::new("view", at(0), DataType::FLOAT32, shape, strides).unwrap_err()
    };
    let is_missing =
        |error: Error| matches!(error, Error::Transfer(TransferError::NullData { .. }));
    assert!(is_missing(refused(&[2, 3], None)));
    assert!(is_missing(refused(&[2, 3], Some(&[-3, 1]))));
    assert!(is_missing(refused(&[1, 3], Some(&[i64::MAX, 1]))));
    assert!(!is_missing(refused(&[1 << 40, 1 << 40], None)));
    assert!(!is_missing(refused(&[2, 3], Some(&[i64::MAX, 1]))));
    let far = HostView::new("view", at(64), DataType::FLOAT32, &[2, 3], Some(&[i64::MAX, 1]));
    assert!(!is_missing(far.unwrap_err()));
}

#[test]
fn what_is_wrong_with_a_view_is_named() {
    let refused = |dtype, shape: &[i64], strides: Option<&[i64]>| {
        HostView::new("view", at(64), dtype, shape, strides).unwrap_err().to_string()
    };
    let float = DataType::FLOAT32;
    assert!(refused(float, &[0, 2, -5, -7], None).contains("size -5"));
    assert!(refused(float, &[2, 3], Some(&[1])).contains("strides"));
    assert!(refused(float, &[1; MAX_NDIM + 1], None).contains("dimensions"));
    assert!(refused(DataType { code: 0, bits: 0, lanes: 1 }, &[1], None).contains("dtype"));
}

#[test]
fn a_view_of_another_shape_is_refused_with_its_first_other_size_or_its_dimensions() {
    let view = HostView::new("view", at(64), DataType::FLOAT32, &[2, 3], None).unwrap();
    let check = |expected: &[i64]| view.check_shape("shard", Some(4), expected);
    assert_eq!(check(&[2, 3]), Ok(()));
    let Err(Error::Model(ModelError::ShapeMismatch { shard, dim, got, expected, .. })) =
        check(&[2, 4])
    else {
        panic!("{:?}", check(&[2, 4]));
    };
    assert_eq!((shard, dim, got, expected), (Some(4), 1, 3, 4));
    for other in [&[2][..], &[5], &[2, 3, 1], &[7, 3, 1]] {
        let said = check(other);
        let Err(Error::NdimMismatch { got, expected, .. }) = said else { panic!("{said:?}") };
        assert_eq!((got, expected), (2, other.len()));
    }
}

#[test]
fn strides_are_counted_in_elements_and_other_memory_is_row_major() {
    for (dtype, width) in [(DataType::FLOAT32, 4), (BYTE, 1), (INT4, 4)] {
        let view = HostView::new("view", at(4096), dtype, &[3, 2, 4], Some(&[-16, 0, 2])).unwrap();
        assert_eq!(view.strides(), [-16 * width, 0, 2 * width]);
        assert!(view.element_strides().eq([-16, 0, 2]));
        let dense = view.row_major_at(at(64));
        assert_eq!(
            all(&dense),
            all(&HostView::new("view", at(64), dtype, &[3, 2, 4], None).unwrap())
        );
    }
    let empty = HostView::new("view", at(64), BYTE, &[3, 0, 4], None).unwrap();
    assert_eq!(empty.row_major_at(at(8)).strides(), [4, 4, 1]);
}

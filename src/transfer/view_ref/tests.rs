use super::*;
use crate::transfer::HostView;

const INT4: DataType = DataType { code: 0, bits: 4, lanes: 1 };
const THREE_BITS: DataType = DataType { code: 0, bits: 3, lanes: 1 };
const BYTE: DataType = DataType { code: 1, bits: 8, lanes: 1 };

fn view(dtype: DataType, shape: &[i64], strides: &[i64]) -> HostView {
    let first = std::ptr::without_provenance_mut(1 << 20);
    HostView::new("view", first, dtype, shape, Some(strides)).unwrap()
}

/// The units of each element, in row-major order, where the first one is at `place`.
fn places(view: &HostView, place: i128) -> Vec<i128> {
    let mut places = vec![place];
    for (&size, &stride) in view.shape().iter().zip(view.strides()) {
        let turns = |place| (0..size).map(move |at| place + i128::from(at * stride));
        places = places.into_iter().flat_map(turns).collect();
    }
    places
}

#[test]
fn a_view_reaches_from_its_lowest_byte_to_its_highest_and_is_row_major_where_elements_follow() {
    for dtype in [BYTE, DataType::FLOAT32, INT4, THREE_BITS] {
        let per_byte = if dtype.is_packed() { 8 } else { 1 };
        for (shape, strides) in [
            (&[][..], &[][..]),
            (&[8], &[1]),
            (&[5], &[1]),
            (&[5], &[2]),
            (&[2, 4], &[4, 1]),
            (&[2, 4], &[-4, 1]),
            (&[2, 4], &[4, -1]),
            (&[2, 4], &[5, 1]),
            (&[1, 8], &[77, 1]),
            (&[8, 1], &[1, 77]),
            (&[3, 1, 8], &[8, -5, 1]),
            (&[4, 2], &[1, 4]),
            (&[0, 4], &[4, 1]),
            (&[3, 2, 5], &[-100, 41, -7]),
        ] {
            let whole = view(dtype, shape, strides);
            let place = (1 << 20) * per_byte;
            let mut parts = vec![(whole, place)];
            if let [rows, columns] = *shape
                && rows > 1
                && columns > 2
            {
                // Which may start inside of a byte.
                for (offsets, sizes) in
                    [([1, 1], [rows - 1, columns - 1]), ([0, 1], [1, columns - 2])]
                {
                    let behind = (0..2).map(|dim| offsets[dim] * whole.strides()[dim]).sum::<i64>();
                    parts.push((whole.sub_box(&offsets, &sizes), place + i128::from(behind)));
                }
            }
            for (part, place) in parts {
                let (own, of) = (part.by_ref(), places(&part, place));
                assert!(of.is_empty() || own.place() == place, "{part:?}");
                assert!(own.is_packed() == dtype.is_packed());
                let byte = |unit: i128| unit.div_euclid(per_byte) as usize;
                let low = of.iter().min().map(|low| byte(*low));
                let high = of.iter().max().map(|high| byte(high + own.width as i128 - 1) + 1);
                let reach = low.zip(high).map(|(low, high)| Reach { low, high });
                assert_eq!(own.extent(), reach, "{part:?}");
                let follow = of.windows(2).all(|pair| pair[1] - pair[0] == own.width as i128);
                let whole_bytes = (of.len() * own.width) as i128 % per_byte == 0
                    && of.first().is_none_or(|first| first % per_byte == 0);
                let is_row_major = of.is_empty() || follow && whole_bytes;
                assert_eq!(own.is_row_major(), is_row_major, "{part:?}");
                if let Some((_, said)) = own.extent_and_order() {
                    assert_eq!(said, is_row_major, "{part:?}");
                }
            }
        }
    }
}

#[test]
fn reaches_meet_where_they_have_a_byte_in_common() {
    let reach = |low, high| Reach { low, high };
    for (one, other, expected) in [
        (reach(10, 20), reach(20, 30), false),
        (reach(10, 20), reach(19, 30), true),
        (reach(10, 20), reach(12, 13), true),
        (reach(10, 20), reach(0, 10), false),
        (reach(10, 20), reach(0, 11), true),
        (reach(10, 20), reach(30, 40), false),
    ] {
        assert_eq!((one.meets(other), other.meets(one)), (expected, expected), "{one:?} {other:?}");
    }
}

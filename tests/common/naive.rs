//! What the definitions say, computed without any cleverness.

use shardspec::geometry::Region;

use super::Boxes;

fn overlaps(offset_a: i64, size_a: i64, offset_b: i64, size_b: i64) -> bool {
    offset_a < offset_b + size_b && offset_b < offset_a + size_a
}

/// Whether two boxes share an element.
pub fn meet(a: (&[i64], &[i64]), b: (&[i64], &[i64])) -> bool {
    let empty = a.1.contains(&0) || b.1.contains(&0);
    !empty && (0..a.0.len()).all(|dim| overlaps(a.0[dim], a.1[dim], b.0[dim], b.1[dim]))
}

/// The elements that both boxes hold, if there are any.
pub fn intersection(boxes: &Boxes, first: usize, second: usize) -> Option<Region> {
    let mut offsets = Vec::new();
    let mut sizes = Vec::new();
    for dim in 0..boxes.ndim {
        let (a, b) = (boxes.offsets(first)[dim], boxes.offsets(second)[dim]);
        let end = (a + boxes.sizes(first)[dim]).min(b + boxes.sizes(second)[dim]);
        offsets.push(a.max(b));
        sizes.push(end - a.max(b));
    }
    sizes.iter().all(|&size| size > 0).then(|| Region::new(&offsets, &sizes))
}

/// Whether any two boxes share an element, by asking every pair.
pub fn any_pair_meets(boxes: &Boxes) -> bool {
    (0..boxes.len()).any(|a| (a + 1..boxes.len()).any(|b| pair_meets(boxes, a, b)))
}

fn pair_meets(boxes: &Boxes, a: usize, b: usize) -> bool {
    meet((boxes.offsets(a), boxes.sizes(a)), (boxes.offsets(b), boxes.sizes(b)))
}

/// Whether any box shares an element with this one.
pub fn any_meets(boxes: &Boxes, offsets: &[i64], sizes: &[i64]) -> bool {
    (0..boxes.len()).any(|index| meet((boxes.offsets(index), boxes.sizes(index)), (offsets, sizes)))
}

/// Shard and dimension of the first box that reaches past a tensor of `sizes`.
pub fn first_out_of_bounds(boxes: &Boxes, sizes: &[i64]) -> Option<(usize, usize)> {
    let reaches_past =
        |index: usize, dim: usize| boxes.offsets(index)[dim] + boxes.sizes(index)[dim] > sizes[dim];
    (0..boxes.len())
        .filter(|&index| !boxes.is_empty_box(index))
        .flat_map(|index| (0..boxes.ndim).map(move |dim| (index, dim)))
        .find(|&(index, dim)| reaches_past(index, dim))
}

/// Number of elements of all boxes together.
pub fn volume(boxes: &Boxes) -> i64 {
    (0..boxes.len()).map(|index| boxes.sizes(index).iter().product::<i64>()).sum()
}

/// How many boxes own each element of `[0, sizes)`, which must hold all boxes that are not empty.
pub struct Marks {
    sizes: Vec<i64>,
    counts: Vec<u32>,
}

impl Marks {
    pub fn new(boxes: &Boxes, sizes: &[i64]) -> Self {
        let mut marks =
            Self { sizes: sizes.to_vec(), counts: vec![0; sizes.iter().product::<i64>() as usize] };
        for index in 0..boxes.len() {
            let (offsets, lengths) = (boxes.offsets(index), boxes.sizes(index));
            for element in elements(offsets, lengths) {
                let at = marks.position(&element);
                marks.counts[at] += 1;
            }
        }
        marks
    }

    fn position(&self, element: &[i64]) -> usize {
        element.iter().zip(&self.sizes).fold(0, |at, (&index, &size)| {
            assert!(index < size, "element {element:?} is outside of {:?}", self.sizes);
            at * size as usize + index as usize
        })
    }

    pub fn any_owned_twice(&self) -> bool {
        self.counts.iter().any(|&count| count > 1)
    }

    /// Whether some element of the box is owned.
    pub fn any_owned(&self, offsets: &[i64], sizes: &[i64]) -> bool {
        elements(offsets, sizes).iter().any(|element| self.counts[self.position(element)] > 0)
    }

    /// Whether all elements of the box are owned.
    pub fn all_owned(&self, offsets: &[i64], sizes: &[i64]) -> bool {
        elements(offsets, sizes).iter().all(|element| self.counts[self.position(element)] > 0)
    }
}

/// The indices of all elements of a box.
fn elements(offsets: &[i64], sizes: &[i64]) -> Vec<Vec<i64>> {
    let mut all = vec![Vec::new()];
    for (&offset, &size) in offsets.iter().zip(sizes) {
        all = all
            .iter()
            .flat_map(|front| {
                (offset..offset + size).map(move |i| [front.as_slice(), &[i]].concat())
            })
            .collect();
    }
    all
}

/// Asserts what is promised of a gap: it holds elements, all inside the tensor and owned by nobody
/// (`is_owned` says of a box whether any element is), and it can't be made longer anywhere.
pub fn assert_is_maximal_gap(
    gap: &Region, sizes: &[i64], is_owned: impl Fn(&[i64], &[i64]) -> bool,
) {
    assert!(gap.sizes.iter().all(|&size| size > 0), "the gap {gap} is empty");
    for dim in 0..sizes.len() {
        let (low, high) = (gap.offsets[dim], gap.offsets[dim] + gap.sizes[dim]);
        assert!(low >= 0 && high <= sizes[dim], "the gap {gap} is not inside of {sizes:?}");
    }
    assert!(!is_owned(&gap.offsets, &gap.sizes), "the gap {gap} is owned");
    for dim in 0..sizes.len() {
        let (low, high) = (gap.offsets[dim], gap.offsets[dim] + gap.sizes[dim]);
        for (beyond, exists) in [(low - 1, low > 0), (high, high < sizes[dim])] {
            let (mut offsets, mut lengths) = (gap.offsets.to_vec(), gap.sizes.to_vec());
            (offsets[dim], lengths[dim]) = (beyond, 1);
            assert!(
                !exists || is_owned(&offsets, &lengths),
                "the gap {gap} could be longer in dimension {dim}, at {beyond}"
            );
        }
    }
}

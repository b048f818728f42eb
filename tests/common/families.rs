//! Families of boxes whose answer is known by how they are made.

use super::{Boxes, Random};

/// A tensor and the boxes it is cut into.
#[derive(Clone, Debug)]
pub struct Cut {
    pub sizes: Vec<i64>,
    pub boxes: Boxes,
}

/// A grid: `counts[d]` cells of length `cell[d]` in dimension `d`.
pub fn grid(counts: &[i64], cell: &[i64]) -> Cut {
    let cuts: Vec<Vec<i64>> = counts
        .iter()
        .zip(cell)
        .map(|(count, length)| (0..=*count).map(|border| border * length).collect())
        .collect();
    grid_of(&cuts)
}

/// A grid with borders at `cuts[d]` in dimension `d`, from the first to the last.
pub fn grid_of(cuts: &[Vec<i64>]) -> Cut {
    let mut boxes = Boxes::new(cuts.len());
    let mut cell = vec![0; cuts.len()];
    'cells: loop {
        let offsets: Vec<i64> = cell.iter().zip(cuts).map(|(&at, borders)| borders[at]).collect();
        let sizes: Vec<i64> =
            cell.iter().zip(cuts).map(|(&at, borders)| borders[at + 1] - borders[at]).collect();
        boxes.push(&offsets, &sizes);
        for dim in (0..cuts.len()).rev() {
            cell[dim] += 1;
            if cell[dim] + 1 < cuts[dim].len() {
                continue 'cells;
            }
            cell[dim] = 0;
        }
        break;
    }
    Cut { sizes: cuts.iter().map(|borders| *borders.last().unwrap()).collect(), boxes }
}

/// A grid of `outer` cells, each of which is a grid of its own with other numbers of cells.
pub fn nested_grids(outer: &[i64], cell: i64, random: &mut Random) -> Cut {
    let blocks = grid(outer, &vec![cell; outer.len()]);
    let mut boxes = Boxes::new(outer.len());
    for block in 0..blocks.boxes.len() {
        let cuts: Vec<Vec<i64>> = blocks
            .boxes
            .offsets(block)
            .iter()
            .map(|&start| {
                let mut borders = vec![start, start + cell];
                let wanted = random.range(0, 6);
                borders.extend((0..wanted).map(|_| random.range(start, start + cell)));
                borders.sort_unstable();
                borders.dedup();
                borders
            })
            .collect();
        boxes.extend(&grid_of(&cuts).boxes);
    }
    Cut { sizes: blocks.sizes, boxes }
}

/// `rows` rows of one element, each cut into `columns` boxes at random places of its own.
pub fn ragged(rows: i64, columns: i64, random: &mut Random) -> Cut {
    let width = 64 * columns;
    let mut boxes = Boxes::new(2);
    for row in 0..rows {
        let mut borders: Vec<i64> = (1..columns).map(|_| random.range(1, width)).collect();
        borders.extend([0, width]);
        borders.sort_unstable();
        borders.dedup();
        for pair in borders.windows(2) {
            boxes.push(&[row, pair[0]], &[1, pair[1] - pair[0]]);
        }
    }
    Cut { sizes: vec![rows, width], boxes }
}

/// A box of `sizes` cut at random places in random dimensions until there are `count` boxes, or
/// until nothing is left to cut.
pub fn partition(sizes: &[i64], count: usize, random: &mut Random) -> Cut {
    let mut boxes = Boxes::new(sizes.len());
    let mut open = vec![(vec![0; sizes.len()], sizes.to_vec(), count)];
    while let Some((offsets, lengths, count)) = open.pop() {
        let wide: Vec<usize> = (0..sizes.len()).filter(|&dim| lengths[dim] > 1).collect();
        if count < 2 || wide.is_empty() {
            boxes.push(&offsets, &lengths);
            continue;
        }
        let dim = wide[random.below(wide.len())];
        let at = random.range(1, lengths[dim]);
        let (mut upper_offsets, mut lower, mut upper) =
            (offsets.clone(), lengths.clone(), lengths.clone());
        upper_offsets[dim] += at;
        lower[dim] = at;
        upper[dim] -= at;
        // As many boxes as fit the share of the volume, so that they do not differ too much.
        let share = count as f64 * at as f64 / lengths[dim] as f64;
        let lower_count = (share.round() as usize).clamp(1, count - 1);
        open.push((offsets, lower, lower_count));
        open.push((upper_offsets, upper, count - lower_count));
    }
    Cut { sizes: sizes.to_vec(), boxes }
}

/// Rods along all three axes that pass each other without touching: `3 * k * k` rods of `2 * k`
/// elements in a cube. Any plane cuts a lot of them. A quarter of the cube is left to nobody.
pub fn rods(k: i64) -> Cut {
    let mut boxes = Boxes::new(3);
    for first in 0..k {
        for second in 0..k {
            for axis in 0..3 {
                // A rod has even coordinates in the next dimension and odd ones in the one after:
                // of two rods with different axes, one is even where the other is odd.
                let (mut offsets, mut sizes) = ([0; 3], [1; 3]);
                sizes[axis] = 2 * k;
                offsets[(axis + 1) % 3] = 2 * first;
                offsets[(axis + 2) % 3] = 2 * second + 1;
                boxes.push(&offsets, &sizes);
            }
        }
    }
    Cut { sizes: vec![2 * k; 3], boxes }
}

/// [`rods`], with what they leave filled by boxes of one element.
pub fn packed_rods(k: i64) -> Cut {
    let Cut { sizes, mut boxes } = rods(k);
    for odd in [0, 1] {
        for cell in 0..k * k * k {
            let (x, y, z) = (cell / (k * k), cell / k % k, cell % k);
            boxes.push(&[2 * x + odd, 2 * y + odd, 2 * z + odd], &[1; 3]);
        }
    }
    Cut { sizes, boxes }
}

/// `2 * count` boxes of which almost every two meet in dimension 0: `count` rows, each cut once,
/// the next row's cut one element later.
pub fn slabs(count: i64) -> Cut {
    let mut boxes = Boxes::new(2);
    for row in 0..count {
        let cut = count + row;
        boxes.push(&[0, row], &[cut, 1]);
        boxes.push(&[cut, row], &[3 * count - cut, 1]);
    }
    Cut { sizes: vec![3 * count, count], boxes }
}

/// A box of `ndim` dimensions halved `levels` times, each time all parts in the next dimension.
pub fn halved(ndim: usize, levels: u32) -> Cut {
    let mut counts = vec![1; ndim];
    for level in 0..levels as usize {
        counts[level % ndim] *= 2;
    }
    grid(&counts, &vec![3; ndim])
}

/// A box of `sizes` cut into pinwheels of pinwheels, each in two random dimensions: four arms
/// around a middle. No plane separates the parts of a pinwheel without cutting one of them.
pub fn pinwheels(sizes: &[i64], count: usize, random: &mut Random) -> Cut {
    let mut boxes = Boxes::new(sizes.len());
    let mut open = vec![(vec![0; sizes.len()], sizes.to_vec(), count)];
    while let Some((offsets, lengths, count)) = open.pop() {
        let wide: Vec<usize> = (0..sizes.len()).filter(|&dim| lengths[dim] > 2).collect();
        if count < 5 || wide.len() < 2 {
            boxes.push(&offsets, &lengths);
            continue;
        }
        let first = random.below(wide.len());
        let second = (first + 1 + random.below(wide.len() - 1)) % wide.len();
        let (x, y) = (wide[first], wide[second]);
        // The middle is [x1, x2) by [y1, y2); the arms turn around it.
        let mut inner = |length: i64| {
            let low = random.range(1, length - 1);
            (low, random.range(low + 1, length))
        };
        let ((x1, x2), (y1, y2)) = (inner(lengths[x]), inner(lengths[y]));
        let (x3, y3) = (lengths[x], lengths[y]);
        let parts =
            [(0, 0, x2, y1), (x2, 0, x3, y2), (x1, y2, x3, y3), (0, y1, x1, y3), (x1, y1, x2, y2)];
        for (left, low, right, high) in parts {
            let (mut part_offsets, mut part_lengths) = (offsets.clone(), lengths.clone());
            part_offsets[x] += left;
            part_offsets[y] += low;
            part_lengths[x] = right - left;
            part_lengths[y] = high - low;
            open.push((part_offsets, part_lengths, count / 5));
        }
    }
    Cut { sizes: sizes.to_vec(), boxes }
}

/// A box of `ndim` dimensions from which a slice is cut off, from the rest again one, and so on:
/// every cut but the last leaves one part with almost all boxes.
pub fn peeled(ndim: usize, count: i64) -> Cut {
    let side = 2 * count / ndim as i64 + 3;
    let (mut low, mut high) = (vec![0; ndim], vec![side; ndim]);
    let mut boxes = Boxes::new(ndim);
    for turn in 0..count as usize {
        let (dim, from_front) = (turn % ndim, (turn / ndim).is_multiple_of(2));
        let (mut offsets, mut end) = (low.clone(), high.clone());
        if from_front {
            low[dim] += 1;
            end[dim] = low[dim];
        } else {
            high[dim] -= 1;
            offsets[dim] = high[dim];
        }
        let sizes: Vec<i64> = offsets.iter().zip(&end).map(|(offset, end)| end - offset).collect();
        boxes.push(&offsets, &sizes);
    }
    let sizes: Vec<i64> = low.iter().zip(&high).map(|(low, high)| high - low).collect();
    boxes.push(&low, &sizes);
    Cut { sizes: vec![side; ndim], boxes }
}

/// A square from which the first column is peeled, then the first row of what is left, and so on: all
/// columns come first, and then all rows.
pub fn columns_then_rows(count: i64) -> Cut {
    let (turns, side) = (count / 2, count / 2 + 1);
    let mut boxes = Boxes::new(2);
    for turn in 0..turns {
        boxes.push(&[turn, turn], &[1, side - turn]);
    }
    for turn in 0..turns {
        boxes.push(&[turn + 1, turn], &[side - turn - 1, 1]);
    }
    boxes.push(&[turns, turns], &[1, 1]);
    Cut { sizes: vec![side; 2], boxes }
}

/// Intervals, each inside of the one before it.
pub fn nested(count: i64) -> Cut {
    let mut boxes = Boxes::new(1);
    for turn in 0..count {
        boxes.push(&[turn], &[2 * count - 2 * turn]);
    }
    Cut { sizes: vec![2 * count], boxes }
}

/// Cubes, each inside of the one before it.
pub fn nested_cubes(count: i64) -> Cut {
    let mut boxes = Boxes::new(3);
    for turn in 0..count {
        boxes.push(&[turn; 3], &[2 * count - 2 * turn; 3]);
    }
    Cut { sizes: vec![2 * count; 3], boxes }
}

/// About `count` sticks along all axes, from end to end, that pass each other in a lattice: those
/// along an axis have coordinates of its own in all other dimensions.
pub fn sticks(ndim: usize, count: i64) -> Cut {
    let others = ndim as u32 - 1;
    let axes = ndim as i64;
    let side = ((count as f64 / ndim as f64).powf(1.0 / f64::from(others))).round() as i64;
    let mut boxes = Boxes::new(ndim);
    for axis in 0..ndim {
        for number in 0..side.pow(others) {
            let (mut offsets, mut sizes) = (vec![0; ndim], vec![1; ndim]);
            sizes[axis] = axes * side;
            let mut rest = number;
            for dim in (0..ndim).filter(|dim| *dim != axis) {
                offsets[dim] = axes * (rest % side) + axis as i64;
                rest /= side;
            }
            boxes.push(&offsets, &sizes);
        }
    }
    Cut { sizes: vec![axes * side; ndim], boxes }
}

/// [`sticks`] in four dimensions, at random places of a wider lattice.
pub fn random_sticks(count: i64, random: &mut Random) -> Cut {
    let side = 1 << 15;
    let mut boxes = Boxes::new(4);
    for number in 0..count {
        let axis = (number % 4) as usize;
        let (mut offsets, mut sizes) = ([0; 4], [1; 4]);
        sizes[axis] = side;
        for dim in (0..4).filter(|dim| *dim != axis) {
            offsets[dim] = 4 * random.range(0, side / 4) + axis as i64;
        }
        boxes.push(&offsets, &sizes);
    }
    Cut { sizes: vec![side; 4], boxes }
}

/// `count` boxes of 30 dimensions, of which each two are apart in one or more of them, and no plane
/// takes many of them apart: words of six letters out of five, each letter five dimensions.
pub fn gadgets(count: i64, random: &mut Random) -> Cut {
    let mut words: Vec<usize> = (0..5usize.pow(6)).collect();
    random.shuffle(&mut words);
    let mut boxes = Boxes::new(30);
    for &word in &words[..count.min(words.len() as i64) as usize] {
        let (mut offsets, mut sizes) = ([0; 30], [2; 30]);
        let mut rest = word;
        for dim in 0..30 {
            // In the dimension of a letter, it is apart from the next two, and all others reach across.
            match (rest % 5 + 5 - dim % 5) % 5 {
                0 => sizes[dim] = 1,
                1 | 2 => (offsets[dim], sizes[dim]) = (1, 1),
                _ => {}
            }
            if dim % 5 == 4 {
                rest /= 5;
            }
        }
        boxes.push(&offsets, &sizes);
    }
    Cut { sizes: vec![2; 30], boxes }
}

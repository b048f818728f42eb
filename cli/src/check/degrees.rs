//! Sizes of an axis of the mesh that cut all tensors of a checkpoint into equal pieces.

use std::collections::BTreeMap;

use shardspec::model::{
    DataType, Error, Mesh, MeshLayout, MeshShardingSpec, ModelError, Result as ModelResult,
    Segments, ShardingDim, ShardingSpec, TensorProperties, TensorShape,
};

use super::report::Degrees;
use crate::Answer;
use crate::arguments::CheckArguments;
use crate::checkpoint;
use crate::failure::Failure;
use crate::layout::Layouts;
use crate::output::Output;

pub fn run(
    axis: &str, layouts: &Layouts, arguments: &CheckArguments, output: &mut Output,
) -> Answer {
    // Tensors of the same sizes and layout are asked about once.
    let mut groups = BTreeMap::<(usize, Vec<i64>), Vec<String>>::new();
    let mut add = |name: &str, sizes: &[i64]| {
        let matches = |pattern: &str| shardspec::files::write::name_matches(pattern, name);
        if let Some(rule) = layouts.rules.iter().position(|rule| matches(&rule.pattern)) {
            groups.entry((rule, sizes.to_vec())).or_default().push(name.to_owned());
        }
    };
    match (&arguments.path, &arguments.shape.sizes) {
        (Some(path), _) => {
            let set = checkpoint::open(path)?;
            set.tensors().iter().for_each(|tensor| add(tensor.name(), tensor.sizes()));
        }
        (None, Some(sizes)) => add("the tensor", &sizes.0),
        (None, None) => {}
    }
    let is_known = layouts
        .rules
        .iter()
        .filter_map(|rule| rule.layout.over_mesh())
        .any(|spec| spec.mesh().axes().iter().any(|own| own.name() == axis));
    if !is_known {
        return Err(Failure::usage(format!("--degrees {axis}: no mesh of a layout has this axis")));
    }
    let mut degrees = Degrees::default();
    for degree in 1..=arguments.max_degree {
        let mut reasons = BTreeMap::<String, Vec<String>>::new();
        for ((rule, sizes), names) in &groups {
            let rule = layouts.rules.get(*rule);
            let Some(spec) = rule.and_then(|rule| rule.layout.over_mesh()) else { continue };
            match is_legal(spec, axis, degree, sizes) {
                Ok(()) => {}
                Err(error) => {
                    let reason = format!("sizes {sizes:?}: {}", reason(&error));
                    reasons.entry(reason).or_default().extend(names.iter().cloned());
                }
            }
        }
        degrees.reasons.push(reasons);
    }
    degrees.print(axis, output)
}

/// Refuses a degree that does not cut a tensor into equal pieces.
fn is_legal(spec: &MeshShardingSpec, axis: &str, degree: i64, sizes: &[i64]) -> ModelResult<()> {
    let layout = spec.layout();
    let ndim = i64::try_from(sizes.len()).unwrap_or(i64::MAX);
    let position = |dim: &ShardingDim| match dim {
        ShardingDim::Index(dim) if *dim < 0 => dim.saturating_add(ndim),
        ShardingDim::Index(dim) => *dim,
        ShardingDim::Name(_) => -1,
    };
    let over = layout.cuts.iter().filter(|cut| &*cut.axis == axis);
    let dims: Vec<i64> = over.map(|cut| position(&cut.dim)).collect();
    // Cuts of other dimensions have nothing to do with this axis.
    let cuts = layout.cuts.iter().filter(|cut| dims.contains(&position(&cut.dim)));
    let mut cuts: Vec<_> = cuts.cloned().collect();
    for cut in cuts.iter_mut().filter(|cut| &*cut.axis == axis) {
        cut.cut.rule.even = true;
        if let Segments::Listed(segments) = &mut cut.cut.segments {
            segments.iter_mut().for_each(|segment| segment.rule.even = true);
        }
    }
    if sizes.is_empty() || cuts.is_empty() {
        return Ok(());
    }
    let is_used = |name: &str| cuts.iter().any(|cut| &*cut.axis == name);
    let axes = spec.mesh().axes().iter().filter(|own| is_used(own.name()));
    let axes: Vec<(&str, i64)> = axes
        .map(|own| {
            let size = i64::try_from(own.size()).unwrap_or(i64::MAX);
            (own.name(), if own.name() == axis { degree } else { size })
        })
        .collect();
    let mesh = Mesh::new(&axes)?;
    let layout = MeshLayout { cuts, partial: Vec::new(), ..layout.clone() };
    let properties = TensorProperties { dtype: None::<DataType>, ..TensorProperties::default() };
    MeshShardingSpec::new(mesh, layout)?.build_metadata(TensorShape::new(sizes), properties)?;
    Ok(())
}

/// Why a cut is refused, without what a program would change.
pub fn reason(error: &Error) -> String {
    match error {
        Error::At { error, .. } => reason(error),
        Error::Model(ModelError::IllegalCut { .. }) => {
            let text = error.to_string();
            text.split("; ").next().unwrap_or_default().to_owned()
        }
        _ => error.to_string(),
    }
}

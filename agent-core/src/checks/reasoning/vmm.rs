//! Rules about a VM's process, memory and disks that must reason.

use super::Reason;
use crate::checks::case::Case;
use crate::checks::declared::Truth;
use crate::checks::facts::providers::process::label::{categories, level};

/// Reasonings of this module.
pub(super) const TABLE: &[(&str, Reason)] = &[("image-labels", image_labels)];

/// Every image is labelled for this VM alone, or is a base that is only read.
fn image_labels(case: &Case<'_>) -> Result<Truth, Truth> {
    let label = case.value("vm.label")?;
    let own = level(label.text().unwrap_or_default()).and_then(categories);
    let Some(own) = own else {
        return Ok(Truth::Fails(format!("the process has no categories: {label}")));
    };
    let labels = case.value("vm.images-labels")?;
    let images = case.value("vm.images")?;
    let (labels, images) = (labels.map().unwrap_or_default(), images.map().unwrap_or_default());
    if images.is_empty() {
        return Ok(Truth::NotApplicable("the VM has no images".to_owned()));
    }
    let judged = images.iter().map(|(path, said)| {
        let Some((_, label)) = labels.iter().find(|(labelled, _)| labelled == path) else {
            return Truth::Fails(format!("{path} has no label"));
        };
        let same = level(label).and_then(categories) == Some(own);
        let read_only_base = said.starts_with("ro ") && label.contains(":virt_content_t:");
        Truth::of(same || read_only_base, || format!("{path} is {label}, and not of {own}"))
    });
    Ok(Truth::all(judged))
}

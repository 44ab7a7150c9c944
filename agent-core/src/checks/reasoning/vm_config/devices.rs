//! What VMs were given, beside what others were.

use super::{int, list, malformed, map, verdict};
use crate::checks::case::Case;
use crate::checks::declared::Truth;
use crate::checks::fact::{Unavailable, Value};
use std::collections::BTreeSet;

/// Fewer vCPUs than CPUs online.
pub(super) fn vcpus_fit(case: &Case<'_>) -> Result<Truth, Truth> {
    const ONLINE: &str = "file:/sys/devices/system/cpu/online";
    let vcpus = int(case, "vm.asked:vcpus")?;
    let online = case.value(ONLINE)?;
    let count = online.text().and_then(count).or_else(|| online.int().map(|_| 1));
    let count = count.ok_or_else(|| malformed(ONLINE, &format!("{online} is no list of CPUs")))?;
    Ok(Truth::of(vcpus < count, || format!("{vcpus} vCPUs on {count} CPUs")))
}

/// How many CPUs `0-3,8` are.
fn count(text: &str) -> Option<i64> {
    text.trim().split(',').try_fold(0_i64, |sum, part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (i64, i64) = (first.parse().ok()?, last.parse().ok()?);
        (last >= first).then(|| sum.checked_add(last - first + 1))?
    })
}

/// One image of firmware that the guest cannot write, and users cannot either.
pub(super) fn firmware_closed(case: &Case<'_>) -> Result<Truth, Truth> {
    let images = map(case, "vm.asked:firmware")?;
    let (mut wrong, mut unknown) = (Vec::new(), None);
    let code: Vec<&String> =
        images.iter().filter(|(_, how)| how == "read-only").map(|(path, _)| path).collect();
    if code.is_empty() {
        wrong.push("the guest may write to every image of its firmware".to_owned());
    }
    for path in code {
        // A relative name is looked for in QEMU's own folders, which are the package's.
        if !path.starts_with('/') {
            continue;
        }
        for (key, mask) in
            [(format!("path.uid:{path}"), i64::MAX), (format!("path.group-others:{path}"), 0o22)]
        {
            match &case.fact(&key).value {
                Err(why) => unknown = unknown.or(Some((key, why.clone()))),
                Ok(value) => match value.int() {
                    Some(number) if number & mask == 0 => {}
                    Some(number) if mask == i64::MAX => {
                        wrong.push(format!("{path} belongs to user {number}"));
                    }
                    Some(_) => wrong.push(format!("{path} can be written by its group or others")),
                    None => return Err(malformed(&key, "no number")),
                },
            }
        }
    }
    Ok(verdict(&wrong, unknown))
}

/// No writable firmware that another VM has too.
pub(super) fn nvram_unique(case: &Case<'_>) -> Result<Truth, Truth> {
    let writable = |images: Vec<(String, String)>| {
        let paths = images.into_iter().filter(|(_, how)| how == "writable").map(|(path, _)| path);
        paths.collect::<BTreeSet<String>>()
    };
    let own = writable(map(case, "vm.asked:firmware")?);
    if own.is_empty() {
        return Ok(Truth::NotApplicable("the VM has no firmware that it may write".to_owned()));
    }
    Ok(shared(case, "vm.asked:firmware", |value| {
        let Value::Map(images) = value else { return Vec::new() };
        writable(images.clone()).intersection(&own).cloned().collect()
    }))
}

/// No address on vsock that another VM has too.
pub(super) fn vsock_cid_unique(case: &Case<'_>) -> Result<Truth, Truth> {
    let own: BTreeSet<String> = list(case, "vm.asked:vsock-cids")?.into_iter().collect();
    Ok(shared(case, "vm.asked:vsock-cids", |value| {
        value.items().into_iter().map(std::borrow::Cow::into_owned).filter(|cid| own.contains(cid)).collect()
    }))
}

/// Fails for each other VM of which a fact has something in common.
fn shared(case: &Case<'_>, key: &str, common: impl Fn(&Value) -> Vec<String>) -> Truth {
    let (mut wrong, mut unknown) = (Vec::new(), None);
    for (other, fact) in case.each_other(key) {
        match &fact.value {
            Ok(value) => {
                let common = common(value);
                if !common.is_empty() {
                    // The other's fact is evidence from here on.
                    let _ = case.fact_of(&other, key);
                }
                wrong.extend(common.into_iter().map(|item| format!("{item} is {}'s too", other.name)));
            }
            // One that ended meanwhile shares nothing; of a VMM whose options cannot be read nobody knows.
            Err(Unavailable::Absent | Unavailable::Gone) => {}
            Err(why) => unknown = unknown.or(Some((key.to_owned(), why.clone()))),
        }
    }
    verdict(&wrong, unknown)
}

/// Network disks are encrypted, or ask for a login. How Ceph talks is in its own configuration.
pub(super) fn remote_disks(case: &Case<'_>, key: &str) -> Result<Truth, Truth> {
    let disks = match case.optional(key)? {
        None => return Ok(Truth::NotApplicable("libvirt has no definition of the VM".to_owned())),
        Some(_) => map(case, key)?,
    };
    if disks.is_empty() {
        return Ok(Truth::NotApplicable("no disk comes over a network".to_owned()));
    }
    let (mut wrong, mut unknown) = (Vec::new(), None);
    for (disk, how) in disks {
        match how.rsplit(' ').next().unwrap_or_default() {
            "tls" | "login" => {}
            "clear" | "open" => wrong.push(format!("{disk}: {how}")),
            _ => {
                let why = format!("{disk}: whether {how} is encrypted is set in its own configuration");
                unknown = unknown.or(Some((key.to_owned(), Unavailable::NotExposed(why))));
            }
        }
    }
    Ok(verdict(&wrong, unknown))
}

/// The VM's IOMMU groups are its own, whole.
pub(super) fn group_single_owner(case: &Case<'_>) -> Result<Truth, Truth> {
    const GROUPS: &str = "vm.vfio:groups";
    /// Drivers that keep a device for guests, or keep it from the host.
    const ASIDE: [&str; 5] = ["bridge", "none", "vfio-pci", "pci-stub", "vfio-platform"];
    let own = list(case, GROUPS)?;
    let (mut wrong, mut unknown) = (Vec::new(), None);
    for group in &own {
        let key = format!("vfio.group:{group}");
        match &case.fact(&key).value {
            Err(why) => unknown = unknown.or(Some((key, why.clone()))),
            Ok(value) => {
                let devices = value.map().unwrap_or_default();
                // Drivers of a vendor's own for VFIO are named after it: `mlx5_vfio_pci`.
                let strangers = devices
                    .iter()
                    .filter(|(_, driver)| !ASIDE.contains(&driver.as_str()) && !driver.contains("vfio"));
                wrong.extend(
                    strangers
                        .map(|(device, driver)| format!("group {group}: the host's {driver} has {device}")),
                );
            }
        }
    }
    match shared(case, GROUPS, |value| {
        value
            .items()
            .iter()
            .filter(|group| own.iter().any(|o| o == *group))
            .map(|g| format!("group {g}"))
            .collect()
    }) {
        Truth::Fails(why) => wrong.push(why),
        Truth::Unknown(key, why) => unknown = unknown.or(Some((key, why))),
        Truth::Holds | Truth::NotApplicable(_) => {}
    }
    Ok(verdict(&wrong, unknown))
}

/// No more USB devices held than asked for.
pub(super) fn usb_as_asked(case: &Case<'_>) -> Result<Truth, Truth> {
    let (held, asked) = (list(case, "vm.held:usb")?, list(case, "vm.asked:usb-host")?);
    Ok(Truth::of(held.len() <= asked.len(), || {
        format!("holds {}, and was given {}", Value::List(held.clone()), Value::List(asked.clone()))
    }))
}

#[cfg(test)]
mod tests {
    #[test]
    fn cpus_are_counted_as_the_kernel_lists_them() {
        for (text, expected) in
            [("0", Some(1)), ("0-3", Some(4)), ("0-3,8,10-11", Some(7)), ("3-0", None), ("", None)]
        {
            assert_eq!(super::count(text), expected, "{text}");
        }
    }
}

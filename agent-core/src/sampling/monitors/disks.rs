//! Finds the frame's row for a disk by whatever name its VMM uses.

use crate::sampling::discovery::DiskInfo;
use std::path::Path;

/// What a VMM says of one of its disks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct DiskKeys<'a> {
    /// Names it goes by: QEMU's device, node and qdev id, the drive id of others.
    pub(super) names: [&'a str; 3],
    /// The image behind it.
    pub(super) file: &'a str,
}

/// The row of the disk that these keys speak of. A name wins over a file, since two disks may share one image.
pub(super) fn row_of(disks: &[DiskInfo], keys: &DiskKeys<'_>) -> Option<u32> {
    let by_name = |disk: &&DiskInfo| keys.names.iter().any(|name| !name.is_empty() && *name == disk.name);
    let by_file = |disk: &&DiskInfo| {
        !keys.file.is_empty() && disk.path.as_deref().is_some_and(|path| path == Path::new(keys.file))
    };
    let disk = disks.iter().find(by_name).or_else(|| disks.iter().find(by_file))?;
    Some(disk.entity.row)
}

/// The id in a QOM path such as `/machine/peripheral/vda/virtio-backend`; empty when it has none.
pub(super) fn qdev_id(path: &str) -> &str {
    let Some(rest) = path.strip_prefix("/machine/peripheral/") else { return path };
    rest.split('/').next().unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampling::frame::Entity;
    use crate::sampling::metrics::Scope;

    fn disk(row: u32, name: &str, path: Option<&str>) -> DiskInfo {
        let entity = Entity { scope: Scope::VmDisk, row, generation: 1 };
        DiskInfo { entity, name: name.into(), path: path.map(Into::into) }
    }

    #[test]
    fn a_name_wins_over_a_file_and_nothing_matches_by_being_empty() {
        let disks = [disk(3, "d0", Some("/img/a")), disk(5, "d1", Some("/img/a")), disk(7, "", None)];
        let row = |names, file| row_of(&disks, &DiskKeys { names, file });
        assert_eq!(row(["d1", "", ""], "/img/a"), Some(5));
        assert_eq!(row(["", "", "d0"], ""), Some(3));
        assert_eq!(row(["x", "", ""], "/img/a"), Some(3));
        assert_eq!(row(["", "", ""], ""), None);
        assert_eq!(row(["x", "", ""], "/img/b"), None);
    }

    #[test]
    fn the_id_is_cut_out_of_a_qom_path() {
        assert_eq!(qdev_id("/machine/peripheral/vda/virtio-backend"), "vda");
        assert_eq!(qdev_id("/machine/peripheral/vda"), "vda");
        assert_eq!(qdev_id("ide0-hd0"), "ide0-hd0");
    }
}

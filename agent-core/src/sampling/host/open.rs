//! The cold side of the host: finds out what there is, opens it, learns its shape, says what is missing and why.

use super::clock::ClockWatch;
use super::columns::Columns;
use super::notes::Notes;
use super::scalars::Scalars;
use super::schedule::Turn;
use super::schema::{self, FileSpec, LineWant, Root, Rows, Scale, Want};
use super::table::{Group, Parts, Slot, Table};
use super::{HostLabels, discover, rows, special};
use crate::config::Config;
use crate::sampling::availability::Availability;
use crate::sampling::frame::Entity;
use crate::sampling::metrics::{MetricId, Scope, Source, host};
use crate::sampling::parse::{Form, Grammar, Layout, Token, walk};
use crate::sampling::perf::{HostPerf, OpenCounters};
use crate::sys::file::KeptFile;
use nix::unistd::{SysconfVar, sysconf};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file larger than this is not one of those we know.
const FILE_BYTES_MAX: usize = 8 << 20;
/// `/proc/sys` allocates as much as the buffer is large: begin small.
const FIRST_BUFFER_BYTES: usize = 4_096;

/// A value's place: scope, row, metric.
type Place = (Scope, u32, MetricId);

/// Gathers a plan.
pub(super) struct Opener<'a> {
    pub(super) config: &'a Config,
    kept_perf: Option<&'a Arc<OpenCounters>>,
    pub(super) notes: Notes,
    pub(super) tables: Vec<Table>,
    pub(super) columns: Vec<Columns>,
    pub(super) scalars: Vec<Scalars>,
    pub(super) clock: ClockWatch,
    pub(super) perf: Option<(HostPerf, Turn)>,
    pub(super) labels: HostLabels,
    cpu_rows: HashMap<u32, u32>,
    block_rows: HashMap<String, u32>,
    net_rows: HashMap<String, u32>,
    page_bytes: u32,
    ticks_per_second: u32,
    /// Files of the slow rate so far: each gets another tick.
    slow_files: usize,
    /// Places that something writes.
    pub(super) covered: HashSet<Place>,
    /// Why a metric has no value; where nothing is said, this kernel does not have it.
    pub(super) failures: HashMap<MetricId, Availability>,
}

/// What a file was found to be.
pub(super) struct Found {
    pub(super) file: KeptFile,
    pub(super) bytes: Vec<u8>,
    /// System calls it took to the end.
    reads: usize,
}

fn system_value(name: SysconfVar, otherwise: u32) -> u32 {
    sysconf(name).ok().flatten().and_then(|value| u32::try_from(value).ok()).unwrap_or(otherwise)
}

impl<'a> Opener<'a> {
    pub(super) fn new(
        config: &'a Config,
        labels: &HostLabels,
        kept_perf: Option<&'a Arc<OpenCounters>>,
    ) -> Self {
        let mut opener = Self {
            config,
            kept_perf,
            notes: Notes::default(),
            tables: Vec::new(),
            columns: Vec::new(),
            scalars: Vec::new(),
            clock: ClockWatch::new(Err(Availability::Unsupported), Turn::new(1, 0)),
            perf: None,
            labels: labels.clone(),
            cpu_rows: HashMap::new(),
            block_rows: HashMap::new(),
            net_rows: HashMap::new(),
            page_bytes: system_value(SysconfVar::PAGE_SIZE, 4_096),
            ticks_per_second: system_value(SysconfVar::CLK_TCK, 100),
            slow_files: 0,
            covered: HashSet::new(),
            failures: HashMap::new(),
        };
        opener.assign_rows();
        for spec in schema::NAMED.iter().chain(schema::SINGLES) {
            opener.open_spec(spec, None);
        }
        opener.open_nodes();
        opener.open_columns("interrupts", Source::Interrupts, schema::COLUMNS_INTERRUPTS);
        opener.open_columns("softirqs", Source::Softirqs, schema::COLUMNS_SOFTIRQS);
        special::open(&mut opener);
        opener.open_perf();
        opener
    }

    pub(super) fn path(&self, root: Root, path: &str) -> PathBuf {
        match root {
            Root::Proc => self.config.roots.proc.join(path),
            Root::Sys => self.config.roots.sys.join(path),
        }
    }

    /// The row of a CPU, by its number.
    pub(super) fn cpu_row(&self, cpu: u32) -> Option<u32> {
        self.cpu_rows.get(&cpu).copied()
    }

    /// The turn of the next file of a source.
    pub(super) fn turn(&mut self, source: Source) -> Turn {
        let period_ticks = self.config.sampling.period_ticks(source);
        if period_ticks > 1 {
            self.slow_files += 1;
        }
        Turn::new(period_ticks, self.slow_files)
    }

    fn assign_rows(&mut self) {
        let found = discover::Devices::find(&self.config.roots, &self.labels);
        let limits = &self.config.limits;
        let labels = &mut self.labels;
        let used = &mut labels.generations;
        let mut refuse = |source, what: &str, refused: usize, limit: u32| {
            if refused > 0 {
                self.notes.limit(source, format!("{refused} {what} beyond the declared limit of {limit}"));
            }
        };
        let refused = rows::assign(&mut labels.cpus, &mut used.cpus, &found.cpus, limits.cpus as usize);
        refuse(Source::ProcStat, "CPUs", refused, limits.cpus);
        let refused = rows::assign(&mut labels.nodes, &mut used.nodes, &found.nodes, limits.nodes as usize);
        refuse(Source::Numa, "nodes", refused, limits.nodes);
        let limit = limits.block_devices;
        let refused =
            rows::assign(&mut labels.block_devices, &mut used.block_devices, &found.block, limit as usize);
        refuse(Source::Diskstats, "block devices", refused, limit);
        let limit = limits.net_devices;
        let refused =
            rows::assign(&mut labels.net_devices, &mut used.net_devices, &found.net, limit as usize);
        refuse(Source::NetDev, "network devices", refused, limit);
        self.cpu_rows = rows::index(&self.labels.cpus);
        self.block_rows = rows::index(&self.labels.block_devices);
        self.net_rows = rows::index(&self.labels.net_devices);
    }

    /// Opens a file and reads it once.
    pub(super) fn find(&mut self, source: Source, path: &Path) -> Result<Found, Availability> {
        let found = KeptFile::open(path).and_then(|file| {
            let (bytes, reads) = read_cold(&file)?;
            Ok(Found { file, bytes, reads })
        });
        match found {
            Ok(found) => {
                self.notes.open(source, path, found.file.is_kept());
                Ok(found)
            }
            Err(errno) => {
                self.notes.closed(source, path, errno);
                Err(Availability::from_errno(errno))
            }
        }
    }

    fn open_spec(&mut self, spec: &FileSpec, node: Option<u32>) {
        let path = self.path(spec.root, spec.path);
        self.open_table(spec, &path, node);
    }

    /// Opens one file. `node` is the row that the wants belong to, where it is not the host's.
    fn open_table(&mut self, spec: &FileSpec, path: &Path, node: Option<u32>) {
        let metrics = || {
            let rows: &[_] = match spec.rows {
                Rows::None => &[],
                Rows::ByKey(_, wants) | Rows::SoftnetLines(wants, _) => wants,
            };
            let of_rows = rows.iter().flat_map(|want| [Some(want.metric), want.host].into_iter().flatten());
            spec.wants.iter().map(|want| want.metric).chain(of_rows)
        };
        let found = match self.find(spec.source, path) {
            Ok(found) => found,
            Err(availability) => {
                metrics().for_each(|metric| {
                    self.failures.insert(metric, availability);
                });
                return;
            }
        };
        let (layout, slots, groups) = self.learn(spec, &found.bytes, node);
        let understood = !slots.is_empty() || metrics().next().is_none();
        let whole = found.bytes.last() == Some(&b'\n');
        if !understood || !whole {
            // What is missing may be in the part that was cut off: not the same as a kernel without it.
            self.notes.garbled(spec.source, path, found.bytes.len());
            metrics().for_each(|metric| {
                self.failures.insert(metric, Availability::Error);
            });
        }
        let turn = self.turn(spec.source);
        self.tables.push(Table::new(Parts {
            file: found.file,
            source: spec.source,
            turn,
            layout,
            slots,
            groups,
            reads: found.reads,
            fixed: spec.fixed,
            page_bytes: self.page_bytes as usize,
        }));
    }

    fn learn(&mut self, spec: &FileSpec, bytes: &[u8], node: Option<u32>) -> (Layout, Vec<Slot>, Vec<Group>) {
        let softnet_cpus = softnet_cpus(spec, bytes);
        let mut targets: Vec<[Option<(Place, Scale)>; 2]> = Vec::new();
        walk(spec.grammar, bytes, &mut |token| targets.push(self.targets(spec, &token, node, &softnet_cpus)));
        let places: BTreeSet<Place> = targets.iter().flatten().flatten().map(|(place, _)| *place).collect();
        let slot_of: HashMap<Place, u32> = places.iter().copied().zip(0_u32..).collect();
        let mut slots: Vec<Slot> = places.iter().map(|place| Slot { metric: place.2, factor: 1 }).collect();
        for (place, scale) in targets.iter().flatten().flatten() {
            slots[slot_of[place] as usize].factor = scale.factor(self.page_bytes, self.ticks_per_second);
        }
        let mut groups: Vec<Group> = Vec::new();
        for (index, (scope, row, _)) in places.iter().enumerate() {
            match groups.last_mut() {
                Some(group) if (group.scope, group.row) == (*scope, *row) => group.slots.end = index + 1,
                _ => groups.push(Group { scope: *scope, row: *row, slots: index..index + 1 }),
            }
        }
        let mut wanted =
            targets.iter().map(|pair| pair.map(|target| target.map(|(place, _)| slot_of[&place])));
        let layout =
            Layout::learn(spec.grammar, bytes, slots.len(), &mut |_| wanted.next().unwrap_or([None; 2]));
        self.covered.extend(places);
        (layout, slots, groups)
    }

    /// Where a number goes.
    fn targets(
        &self,
        spec: &FileSpec,
        token: &Token,
        node: Option<u32>,
        softnet_cpus: &[Option<u32>],
    ) -> [Option<(Place, Scale)>; 2] {
        if token.form == Form::Line {
            return [None; 2];
        }
        let row = match spec.rows {
            Rows::None => None,
            Rows::ByKey(scope, wants) => self.row_of(scope, token.key).map(|row| (scope, row, wants)),
            Rows::SoftnetLines(wants, _) => {
                let cpu = softnet_cpus.get(token.line as usize).copied().flatten();
                cpu.and_then(|cpu| self.cpu_row(cpu)).map(|row| (Scope::Cpu, row, wants))
            }
        };
        if let Some((scope, row, wants)) = row {
            let want = wants.iter().find(|want| token.name.is_empty() && want.column == token.column);
            return want.map_or([None; 2], |want| {
                let host = want.host.map(|metric| ((Scope::Host, 0, metric), want.scale));
                [Some(((scope, row, want.metric), want.scale)), host]
            });
        }
        if spec.wants.is_empty() {
            return [None; 2];
        }
        let label = schema::label(spec.grammar, token);
        let place = |want: &Want| match node {
            Some(row) => (Scope::Node, row, want.metric),
            None => (Scope::Host, 0, want.metric),
        };
        let want = spec.wants.iter().find(|want| schema::wants_label(want, &label));
        [want.map(|want| (place(want), want.scale)), None]
    }

    fn row_of(&self, scope: Scope, key: &[u8]) -> Option<u32> {
        let name = String::from_utf8_lossy(key);
        match scope {
            Scope::Cpu => self.cpu_row(name.strip_prefix("cpu")?.parse().ok()?),
            Scope::Block => self.block_rows.get(name.as_ref()).copied(),
            Scope::Net => self.net_rows.get(name.as_ref()).copied(),
            _ => None,
        }
    }

    fn open_nodes(&mut self) {
        let nodes = rows::index(&self.labels.nodes);
        if nodes.is_empty() {
            let folder = self.path(Root::Sys, "devices/system/node");
            self.notes.closed(Source::Numa, &folder, nix::errno::Errno::ENOENT);
        }
        let mut nodes: Vec<_> = nodes.into_iter().collect();
        nodes.sort_unstable();
        for (node, row) in nodes {
            for (name, wants) in [("meminfo", schema::NODE_MEMINFO), ("numastat", schema::NODE_NUMASTAT)] {
                let path = self.path(Root::Sys, &format!("devices/system/node/node{node}/{name}"));
                let spec = FileSpec {
                    root: Root::Sys,
                    path: "",
                    source: Source::Numa,
                    grammar: Grammar::Pairs,
                    fixed: true,
                    wants,
                    rows: Rows::None,
                };
                self.open_table(&spec, &path, Some(row));
            }
        }
    }

    fn open_columns(&mut self, path: &str, source: Source, wants: &'static [LineWant]) {
        let path = self.path(Root::Proc, path);
        let all = || wants.iter().flat_map(|(_, cpu, host)| [*cpu, *host]).flatten();
        let [host_always, cpu_always] = Columns::always(source);
        let fail = |failures: &mut HashMap<_, _>, availability| {
            for metric in all().chain(host_always.iter().copied()).chain(cpu_always.iter().copied()) {
                failures.insert(metric, availability);
            }
        };
        let found = match self.find(source, &path) {
            Ok(found) => found,
            Err(availability) => return fail(&mut self.failures, availability),
        };
        let turn = self.turn(source);
        let length = found.bytes.len();
        let rows = self.cpu_rows.clone();
        let Some((columns, present)) =
            Columns::open(found.file, source, turn, wants, &found.bytes, |cpu| rows.get(&cpu).copied())
        else {
            self.notes.garbled(source, &path, length);
            fail(&mut self.failures, Availability::Error);
            // Watched as a text without values, so that it is noticed when it comes to its senses.
            let spec = FileSpec {
                root: Root::Proc,
                path: "",
                source,
                grammar: Grammar::Bare,
                fixed: false,
                wants: &[],
                rows: Rows::None,
            };
            return self.open_table(&spec, &path, None);
        };
        for ((_, cpu, host), present) in wants.iter().zip(present) {
            if present {
                self.covered.extend(host.iter().map(|metric| (Scope::Host, 0, *metric)));
                for row in rows.values() {
                    self.covered.extend(cpu.iter().map(|metric| (Scope::Cpu, *row, *metric)));
                }
            }
        }
        self.covered.extend(host_always.iter().map(|metric| (Scope::Host, 0, *metric)));
        for row in rows.values() {
            self.covered.extend(cpu_always.iter().map(|metric| (Scope::Cpu, *row, *metric)));
        }
        self.columns.push(columns);
    }

    fn open_perf(&mut self) {
        let cpus: Vec<u32> = self.labels.cpus.iter().flatten().copied().collect();
        let opened = HostPerf::keep_or_open(self.config, &cpus, self.kept_perf);
        self.failures.extend(opened.closed);
        let Some(perf) = opened.perf else {
            let denied = self.failures.get(&host::PERF_MIGRATIONS) == Some(&Availability::Denied);
            let why = if denied { Availability::Denied } else { Availability::Unsupported };
            return self.notes.refuse(Source::Perf, why, opened.remark);
        };
        self.notes.other(Source::Perf, "perf-group", opened.remark);
        self.covered.extend(perf.metrics().map(|metric| (Scope::Host, 0, metric)));
        let turn = self.turn(Source::Perf);
        self.perf = Some((perf, turn));
    }

    /// The rows that hold something.
    pub(super) fn entities(&self) -> Vec<Entity> {
        let labels = &self.labels;
        let mut entities = Vec::new();
        let mut add = |scope, present: Vec<bool>, generations: &[u32]| {
            for ((row, present), generation) in (0_u32..).zip(present).zip(generations) {
                if present {
                    entities.push(Entity { scope, row, generation: *generation });
                }
            }
        };
        let used = &labels.generations;
        add(Scope::Cpu, labels.cpus.iter().map(Option::is_some).collect(), &used.cpus);
        add(Scope::Node, labels.nodes.iter().map(Option::is_some).collect(), &used.nodes);
        add(Scope::Block, labels.block_devices.iter().map(Option::is_some).collect(), &used.block_devices);
        add(Scope::Net, labels.net_devices.iter().map(Option::is_some).collect(), &used.net_devices);
        entities
    }

    /// The values that nothing will ever write, and why: said once, so that none stays `Pending` for good.
    pub(super) fn absent(&self, entities: &[Entity]) -> Vec<(Place, Availability)> {
        let rows = entities.iter().map(|entity| (entity.scope, entity.row)).chain([(Scope::Host, 0)]);
        let mut absent = Vec::new();
        for (scope, row) in rows {
            for metric in scope.metrics() {
                let place = (scope, row, metric.id);
                if !self.covered.contains(&place) {
                    let why = self.failures.get(&metric.id).copied().unwrap_or(Availability::Unsupported);
                    absent.push((place, why));
                }
            }
        }
        absent
    }
}

/// Which CPU each line of `softnet_stat` is about.
fn softnet_cpus(spec: &FileSpec, bytes: &[u8]) -> Vec<Option<u32>> {
    let Rows::SoftnetLines(_, cpu_column) = spec.rows else { return Vec::new() };
    let mut cpus = Vec::new();
    walk(spec.grammar, bytes, &mut |token| {
        let line = token.line as usize;
        if cpus.len() <= line {
            // Before 5.10 the lines have no numbers: they are the CPUs that are online, in order.
            cpus.resize(line + 1, u32::try_from(line).ok());
        }
        if token.column == cpu_column {
            let text = std::str::from_utf8(&bytes[token.start..token.end]).unwrap_or("");
            cpus[line] = u32::from_str_radix(text, 16).ok();
        }
    });
    cpus
}

/// Reads a file of unknown size, and counts the reads.
fn read_cold(file: &KeptFile) -> nix::Result<(Vec<u8>, usize)> {
    let mut bytes = vec![0; FIRST_BUFFER_BYTES];
    if !file.is_kept() {
        loop {
            let length = file.read_whole(&mut bytes)?;
            if length < bytes.len() {
                bytes.truncate(length);
                return Ok((bytes, 1));
            }
            grow(&mut bytes)?;
        }
    }
    let (mut length, mut reads) = (0, 0);
    loop {
        if length == bytes.len() {
            grow(&mut bytes)?;
        }
        match file.read_at(&mut bytes[length..], length)? {
            0 => break,
            more => {
                length += more;
                reads += 1;
            }
        }
    }
    if reads > 1 {
        // The buffer was small at first: count again with one that is large enough.
        reads = 0;
        length = 0;
        while length < bytes.len() {
            match file.read_at(&mut bytes[length..], length)? {
                0 => break,
                more => {
                    length += more;
                    reads += 1;
                }
            }
        }
    }
    bytes.truncate(length);
    Ok((bytes, reads))
}

fn grow(bytes: &mut Vec<u8>) -> nix::Result<()> {
    if bytes.len() >= FILE_BYTES_MAX {
        return Err(nix::errno::Errno::EFBIG);
    }
    bytes.resize(bytes.len() * 2, 0);
    Ok(())
}

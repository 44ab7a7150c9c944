//! The screen, drawn without a terminal.

use super::*;
use crate::top::app::Next;
use crate::view::hurt::Hurt;
use crate::view::model::tests::vm;
use crate::view::model::{Parts, VcpuView, View};
use bartizan_core::sampling::frame::Entity;
use bartizan_core::sampling::metrics::Scope;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use std::sync::Arc;

fn row(row: u32) -> Entity {
    Entity { scope: Scope::Vm, row, generation: 1 }
}

fn named(name: &str, number: u32, hurt: Hurt) -> VmView {
    let mut view = VmView { hurt, cpu_cores: Some(0.5), ..vm(name) };
    Arc::get_mut(&mut view.vm).unwrap().entity = row(number);
    view
}

fn app(vms: Vec<VmView>) -> App {
    let mut app = App::new("node-7".to_owned(), SortBy::Hurt, String::new());
    app.update(View { vms, ..View::default() }, None, Vec::new());
    app
}

fn three() -> App {
    app(vec![
        named("idle", 0, Hurt::default()),
        named("starved", 1, Hurt { score: 60.0, reason: "cpu wait" }),
        named("dead", 2, Hurt { score: 100.0, reason: "stopped" }),
    ])
}

fn screen(app: &mut App, columns: u16, rows: u16) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    terminal.draw(|frame| draw(frame, app, Theme::new(true))).unwrap();
    let buffer = terminal.backend().buffer();
    buffer
        .content()
        .chunks(usize::from(columns))
        .map(|line| line.iter().map(ratatui::buffer::Cell::symbol).collect::<String>().trim_end().to_owned())
        .collect()
}

fn press(app: &mut App, code: KeyCode) -> Next {
    app.key(KeyEvent::new(code, KeyModifiers::NONE))
}

fn line_of(screen: &[String], start: &str) -> usize {
    screen.iter().position(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{start} in {screen:#?}"))
}

#[test]
fn what_hurts_most_is_on_top_and_says_why() {
    let screen = screen(&mut three(), 80, 24);
    assert!(line_of(&screen, "dead") < line_of(&screen, "starved"));
    assert!(line_of(&screen, "starved") < line_of(&screen, "idle"));
    assert!(screen[line_of(&screen, "dead")].contains("100 stopped"), "{screen:#?}");
    assert!(screen[0].contains("node-7"));
}

#[test]
fn every_size_is_drawn_without_panic() {
    for columns in [1, 39, 40, 60, 80, 200, 300] {
        for rows in [1, 9, 10, 24, 50] {
            let mut app = three();
            for key in ['?', 'x', 'o'] {
                screen(&mut app, columns, rows);
                press(&mut app, KeyCode::Char(key));
            }
            press(&mut app, KeyCode::Esc);
            press(&mut app, KeyCode::Enter);
            screen(&mut app, columns, rows);
        }
    }
}

#[test]
fn a_wide_screen_shows_more_columns_than_a_narrow_one() {
    let heading = |columns| {
        let screen = screen(&mut three(), columns, 24);
        screen[line_of(&screen, "VM ")].clone()
    };
    assert!(heading(200).contains("CPU HISTORY") && heading(200).contains("EXITS/s"));
    assert!(!heading(60).contains("EXITS/s"), "{}", heading(60));
    assert!(
        heading(60).contains("STATE") && heading(60).contains("HURT"),
        "what matters stays: {}",
        heading(60)
    );
}

#[test]
fn keys_sort_filter_and_reverse() {
    let mut app = three();
    press(&mut app, KeyCode::Char('A'));
    let names = |app: &App| app.listed().iter().map(|vm| vm.vm.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&app), ["dead", "idle", "starved"]);
    press(&mut app, KeyCode::Char('r'));
    assert_eq!(names(&app), ["starved", "idle", "dead"]);
    press(&mut app, KeyCode::Char('/'));
    for letter in "De".chars() {
        press(&mut app, KeyCode::Char(letter));
    }
    assert!(screen(&mut app, 80, 24).last().unwrap().starts_with("filter: De"));
    press(&mut app, KeyCode::Enter);
    assert_eq!(names(&app), ["dead"]);
    press(&mut app, KeyCode::Esc);
    assert_eq!(names(&app).len(), 3, "Esc clears the filter");
    press(&mut app, KeyCode::Char('/'));
    assert_eq!(press(&mut app, KeyCode::Char('q')), Next::Stay, "a q that is typed does not quit");
}

#[test]
fn the_cursor_stays_on_its_vm_when_the_order_changes() {
    let mut app = three();
    press(&mut app, KeyCode::Down);
    assert_eq!(app.selected, Some(row(1)));
    press(&mut app, KeyCode::Char('A'));
    assert_eq!(app.cursor(&app.listed()), 2, "starved is last by name, and the cursor is on it");
    press(&mut app, KeyCode::Home);
    assert_eq!(app.cursor(&app.listed()), 0);
    press(&mut app, KeyCode::PageDown);
    assert_eq!(app.cursor(&app.listed()), 2, "not beyond the last");
}

#[test]
fn a_vm_is_looked_into_and_says_when_it_is_gone() {
    let mut app = three();
    press(&mut app, KeyCode::Enter);
    assert_eq!(app.drilled().unwrap().name, "dead");
    let vcpu = VcpuView { index: 0, tid: 4711, run: Some(0.25), wait: None, switches: None, exits: None };
    app.set_parts(Parts { vcpus: vec![vcpu], devices: Vec::new() });
    let text = screen(&mut app, 80, 24).join("\n");
    assert!(text.contains("4711") && text.contains("25.0%") && text.contains(" dead "), "{text}");
    app.update(View::default(), None, Vec::new());
    assert!(screen(&mut app, 80, 24).join("\n").contains("this VM is gone"));
    press(&mut app, KeyCode::Esc);
    assert_eq!(app.page, Page::Overview);
}

#[test]
fn a_name_cannot_control_the_terminal() {
    let text = screen(&mut app(vec![named("evil\u{1b}[2J\u{202e}", 0, Hurt::default())]), 80, 24).join("\n");
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text}");
}

#[test]
fn keys_end_it() {
    assert_eq!(press(&mut three(), KeyCode::Char('q')), Next::Quit);
    assert_eq!(three().key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)), Next::Quit);
    let mut helped = three();
    press(&mut helped, KeyCode::Char('?'));
    assert!(screen(&mut helped, 80, 24).join("\n").contains("any key closes it"));
    assert_eq!(press(&mut helped, KeyCode::Char('z')), Next::Stay);
    assert!(!helped.help);
}

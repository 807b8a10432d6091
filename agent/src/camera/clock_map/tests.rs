use proptest::prelude::*;

use super::*;

const HOST_START: WallTime = WallTime::from_secs(1_700_000_000);
const RTP_START: i64 = 3_000_000_000;

/// A host and a camera whose clock drifts; times are true times since the session began.
#[derive(Clone, Copy)]
struct World {
    camera_ppm: f64,
    camera_offset_us: i64,
    rtp_start: i64,
    host_step_us: i64,
}

impl World {
    const fn drifting(camera_ppm: f64) -> Self {
        Self {
            camera_ppm,
            camera_offset_us: 7_200_000_000,
            rtp_start: RTP_START,
            host_step_us: 0,
        }
    }

    fn media(&self, at: Duration) -> Ticks90k {
        let ticks = at.as_secs_f64() * (1.0 + self.camera_ppm / 1e6) * 90_000.0;
        Ticks90k::new(self.rtp_start + ticks.round() as i64)
    }

    fn ntp(&self, at: Duration) -> WallTime {
        let us = at.as_secs_f64() * (1.0 + self.camera_ppm / 1e6) * 1e6;
        HOST_START.offset_micros(self.camera_offset_us + us as i64)
    }

    fn now(&self, at: Duration) -> Now {
        Now {
            monotonic: at + Duration::from_secs(77),
            wall: (HOST_START + at).offset_micros(self.host_step_us),
        }
    }
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Plays pictures every 40 ms from `from` to `to` with 80 ms of encoder delay and no jitter, and a
/// report every 5 s; the first break, and the wall time of each picture with its true time.
fn play(
    map: &mut ClockMap,
    world: &World,
    from: Duration,
    to: Duration,
) -> Vec<(Duration, WallTime)> {
    let mut walls = Vec::new();
    let mut at = from;
    while at < to {
        let arrival = world.now(at + ms(80));
        map.picture(world.media(at), arrival).expect("no break");
        walls.push((at, map.wall(world.media(at), arrival)));
        if at.as_millis().is_multiple_of(5_000) {
            let sent = at + ms(81);
            map.report(world.media(sent), world.ntp(sent), world.now(sent + ms(1)))
                .expect("no break");
        }
        at += ms(40);
    }
    walls
}

fn started(world: &World) -> ClockMap {
    let mut map = ClockMap::new(world.now(Duration::ZERO));
    let arrival = world.now(ms(80));
    map.picture(world.media(Duration::ZERO), arrival).unwrap();
    map.report(world.media(ms(81)), world.ntp(ms(81)), world.now(ms(82)))
        .unwrap();
    map.begin_run(world.media(Duration::ZERO), true, world.now(ms(82)));
    map
}

#[test]
fn a_report_gives_the_instant_of_capture_and_not_of_arrival() {
    let world = World::drifting(0.0);
    let mut map = started(&world);
    let wall = map.wall(world.media(Duration::ZERO), world.now(ms(82)));
    let error = wall.micros_since(HOST_START);
    assert!((0..=2_000).contains(&error), "{error} µs");
}

#[test]
fn two_hours_at_200_ppm_neither_cut_the_run_nor_drift() {
    for ppm in [200.0, -200.0] {
        let world = World::drifting(ppm);
        let mut map = started(&world);
        let walls = play(&mut map, &world, ms(40), Duration::from_secs(7_200));
        for (at, wall) in walls {
            let error = wall.micros_since(HOST_START + at);
            assert!(
                error.abs() < 5_000,
                "{error} µs off after {at:?} at {ppm} ppm"
            );
        }
        let offset = map.camera_offset_us().unwrap();
        let true_offset = world.camera_offset_us + (7_200.0 * ppm) as i64;
        assert!(
            (offset - true_offset).abs() < 10_000,
            "{offset} for {true_offset}"
        );
    }
}

#[test]
fn the_host_set_back_an_hour_ends_the_run_once_and_the_next_one_follows_the_new_time() {
    let mut world = World::drifting(0.0);
    let mut map = started(&world);
    play(&mut map, &world, ms(40), Duration::from_secs(10));
    world.host_step_us = -3_600_000_000;
    let at = Duration::from_secs(10);
    let broken = map
        .picture(world.media(at), world.now(at + ms(80)))
        .unwrap_err();
    assert_eq!(broken.reason, Reason::HostClockStepped);
    assert!(broken.detail.contains("-3600.000 s"), "{}", broken.detail);
    let origin = map.begin_run(world.media(at), true, world.now(at + ms(80)));
    let error = origin.micros_since((HOST_START + at).offset_micros(world.host_step_us));
    assert!((0..10_000).contains(&error), "{error}");
    play(&mut map, &world, at + ms(40), Duration::from_secs(20));
}

#[test]
fn timestamps_that_jump_end_the_run_and_wall_time_goes_on() {
    for ticks in [
        900_000,
        -900_000,
        100_000_000,
        -100_000_000,
        180_000,
        -180_000,
    ] {
        let mut world = World::drifting(0.0);
        let mut map = started(&world);
        play(&mut map, &world, ms(40), Duration::from_secs(10));
        world.rtp_start += ticks;
        let at = Duration::from_secs(10);
        let broken = map
            .picture(world.media(at), world.now(at + ms(80)))
            .unwrap_err();
        assert_eq!(broken.reason, Reason::CameraClockJumped, "{ticks}");
        assert!(!broken.can_wait);
        let origin = map.begin_run(world.media(at), true, world.now(at + ms(80)));
        let error = origin.micros_since(HOST_START + at);
        assert!(error.abs() < 10_000, "{error} µs after a jump by {ticks}");
        play(&mut map, &world, at + ms(40), Duration::from_secs(20));
    }
}

#[test]
fn a_camera_that_sets_its_wall_clock_does_not_cut_footage() {
    let mut world = World::drifting(0.0);
    let mut map = started(&world);
    play(&mut map, &world, ms(40), Duration::from_secs(10));
    world.camera_offset_us = -150_000;
    play(
        &mut map,
        &world,
        Duration::from_secs(10),
        Duration::from_secs(20),
    );
    let offset = map.camera_offset_us().unwrap();
    assert!((offset + 150_000).abs() < 5_000, "{offset}");
}

#[test]
fn a_media_clock_that_stood_still_is_found_by_reports_and_begins_a_new_run() {
    let mut world = World::drifting(0.0);
    let mut map = started(&world);
    play(&mut map, &world, ms(40), Duration::from_secs(10));
    // Four seconds pass and media time does not.
    world.rtp_start -= 4 * 90_000;
    let at = Duration::from_secs(14);
    map.picture(world.media(at), world.now(at + ms(80)))
        .expect("one late picture proves nothing");
    let sent = at + ms(81);
    let broken = map
        .report(world.media(sent), world.ntp(sent), world.now(sent + ms(1)))
        .unwrap_err();
    assert_eq!(broken.reason, Reason::CameraClockJumped);
    assert!(broken.can_wait);
    let origin = map.begin_run(world.media(at), true, world.now(sent + ms(1)));
    assert!(origin.micros_since(HOST_START + at).abs() < 10_000);
}

#[test]
fn a_network_that_holds_everything_back_for_twenty_seconds_cuts_nothing() {
    let world = World::drifting(0.0);
    let mut map = started(&world);
    play(&mut map, &world, ms(40), Duration::from_secs(10));
    for step in 0..500 {
        let at = Duration::from_secs(10) + ms(40 * step);
        let late = at + Duration::from_secs(3);
        map.picture(world.media(at), world.now(late))
            .expect("late, not wrong");
        if step % 125 == 0 {
            map.report(world.media(at), world.ntp(at), world.now(late))
                .expect("late, not wrong");
        }
    }
    let at = Duration::from_secs(30);
    let wall = map.wall(world.media(at), world.now(at + ms(3_000)));
    assert!(wall.micros_since(HOST_START + at).abs() < 10_000);
}

#[test]
fn without_reports_uncertainty_is_unknown_and_with_them_it_grows_with_their_age() {
    let world = World::drifting(0.0);
    let mut map = ClockMap::new(world.now(Duration::ZERO));
    map.picture(world.media(Duration::ZERO), world.now(ms(80)))
        .unwrap();
    map.begin_run(world.media(Duration::ZERO), true, world.now(ms(80)));
    assert_eq!(map.uncertainty_us(world.now(ms(80))), None);
    assert_eq!(map.camera_offset_us(), None);
    let mut map = started(&world);
    play(&mut map, &world, ms(40), Duration::from_secs(60));
    let soon = map
        .uncertainty_us(world.now(Duration::from_secs(60)))
        .unwrap();
    let later = map
        .uncertainty_us(world.now(Duration::from_secs(600)))
        .unwrap();
    assert!(soon < 5_000, "{soon}");
    assert!(later > soon + 100_000, "{later}");
}

#[test]
fn a_report_of_another_timeline_is_not_believed_even_if_it_comes_first() {
    let world = World::drifting(0.0);
    let mut map = ClockMap::new(world.now(Duration::ZERO));
    map.report(
        Ticks90k::new(17),
        world.ntp(Duration::ZERO),
        world.now(ms(1)),
    )
    .unwrap();
    map.picture(world.media(Duration::ZERO), world.now(ms(80)))
        .unwrap();
    let origin = map.begin_run(world.media(Duration::ZERO), true, world.now(ms(80)));
    assert_eq!(origin, HOST_START + ms(80));
    assert_eq!(map.uncertainty_us(world.now(ms(80))), None);
}

/// Jitter per picture in milliseconds; rarely a second of congestion.
fn any_jitter() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(
        prop_oneof![9 => 0_u64..30, 3 => 30_u64..150, 1 => 500_u64..1_500],
        200..1_500,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn wall_time_is_slewed_never_jumped_and_stays_within_its_uncertainty(
        jitter in any_jitter(),
        ppm in -250.0_f64..250.0,
        encoder in 20_u64..300,
        b_frames in 0_u32..3,
    ) {
        let world = World::drifting(ppm);
        let mut map = ClockMap::new(world.now(Duration::ZERO));
        let mut arrived = Duration::ZERO;
        let mut previous: Option<(Ticks90k, WallTime)> = None;
        let mut ordered = std::collections::BTreeMap::new();
        for (number, late) in (0_u32..).zip(jitter) {
            // Every fourth picture is shown after the `b_frames` that follow it.
            let shown = if number % 4 == 0 { number + b_frames } else { number };
            let at = ms(u64::from(shown) * 40);
            let pts = world.media(at);
            arrived = arrived.max(ms(u64::from(number + b_frames) * 40 + encoder + late));
            let now = world.now(arrived);
            map.picture(pts, now).map_err(|broken| TestCaseError::fail(broken.detail))?;
            if number % 60 == 1 {
                map.report(world.media(arrived), world.ntp(arrived), world.now(arrived + ms(late % 10)))
                    .map_err(|broken| TestCaseError::fail(broken.detail))?;
            }
            if number < 2 {
                // Settling: the first report is awaited before a run begins.
                if number == 1 {
                    map.begin_run(pts, true, now);
                }
                continue;
            }
            let wall = map.wall(pts, now);
            ordered.insert(pts, wall);
            let error = wall.micros_since(HOST_START + at).unsigned_abs();
            let uncertainty = map.uncertainty_us(now).unwrap();
            prop_assert!(error <= uncertainty + 10_000, "{error} µs off, said {uncertainty}, at {at:?}");
            if let Some((before, wall_before)) = previous && pts > before {
                let media_us = (pts - before).to_micros();
                let slew = wall.micros_since(wall_before) - media_us;
                prop_assert!(slew.abs() <= media_us.abs() * MAX_SLEW_PPM / 1_000_000 + 400, "slewed {slew} µs in {media_us}");
            }
            previous = Some((pts, wall));
        }
        let walls: Vec<_> = ordered.values().collect();
        prop_assert!(walls.is_sorted(), "wall time goes back in presentation order");
    }

    #[test]
    fn anything_may_arrive_at_any_time(
        events in prop::collection::vec((any::<i64>(), any::<i64>(), 0_u64..20_000, any::<bool>(), any::<i64>()), 1..200),
    ) {
        let mut now = Now { monotonic: Duration::ZERO, wall: HOST_START };
        let mut map = ClockMap::new(now);
        for (media, ntp, wait, report, wall) in events {
            now.monotonic += ms(wait);
            now.wall = WallTime::from_micros(wall / 4);
            let pts = Ticks90k::new(media / 1_000_000);
            let broken = match report {
                true => map.report(pts, WallTime::from_micros(ntp / 4), now),
                false => map.picture(pts, now),
            };
            if broken.is_err() {
                map.begin_run(pts, true, now);
            }
            map.wall(pts, now);
            map.uncertainty_us(now);
            map.camera_offset_us();
        }
    }
}

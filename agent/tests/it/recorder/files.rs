//! What is in the files: everything that was filmed, once, in files that ordinary players open.

use std::fs::File;
use std::time::Duration;

use shared::codec::AudioCodec;
use shared::fmp4::read;
use shared::segment::SegmentMeta;
use shared::testing;
use shared::time::{Ticks90k, TimeRange};
use shared::timeline::Reason;

use super::studio::{START, Site, Studio, assert_explained, ffprobe, told};

fn pictures(segments: &[SegmentMeta]) -> u32 {
    segments
        .iter()
        .flat_map(|meta| &meta.fragments)
        .map(|fragment| fragment.samples)
        .sum()
}

fn seconds(from: f64, to: f64) -> TimeRange {
    let at = |seconds| START + Duration::from_secs_f64(seconds);
    TimeRange::new(at(from), at(to)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_filmed_is_in_signed_segments_that_players_open_without_a_complaint() {
    let site = Site::new();
    let mut studio = Studio::start(&site);
    studio.begin_run_of(testing::parameters_with(AudioCodec::Aac));
    studio.film_with_sound(75);
    let buffer = studio.wrap().await;

    let (segments, gaps) = told(&buffer).await;
    assert_eq!(pictures(&segments), 750);
    assert_eq!(segments.len(), 3, "30 s in segments of 10 s");
    assert!(gaps.is_empty(), "{gaps:?}");
    let mut media_end = Ticks90k::ZERO;
    for meta in &segments {
        meta.check().unwrap();
        assert!(
            meta.signature
                .verify(site.key.public_key(), &meta.statement())
        );
        for fragment in &meta.fragments {
            assert_eq!(fragment.media_start, media_end, "no gap and no overlap");
            assert!(fragment.duration <= Ticks90k::from_millis(600));
            media_end = fragment.media_start + fragment.duration;
        }
        assert!(meta.fragments[0].sync);
    }
    for meta in &segments {
        let path = site.file_of(meta.head.id);
        let walk = read::walk(File::open(&path).unwrap()).unwrap();
        assert_eq!(walk.head.as_ref(), Some(&meta.head));
        assert_eq!(walk.fragments, meta.fragments);
        assert_eq!(walk.file_length, meta.size);
        let streams = ffprobe(&path);
        assert_eq!(streams[0], ("h264".to_owned(), 250));
        assert_eq!(streams[1].0, "aac");
    }
    assert_eq!(
        assert_explained(&buffer, site.camera, seconds(0.0, 30.0)).await,
        []
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loss_inside_a_run_is_a_hole_with_its_reason_and_not_a_stretched_picture() {
    let site = Site::new();
    let mut studio = Studio::start(&site);
    studio.begin_run();
    studio.film(5);
    studio.lose(Duration::from_secs(3));
    studio.film(5);
    let end = studio.now();
    let buffer = studio.wrap().await;

    let (segments, _) = told(&buffer).await;
    assert_eq!(segments.len(), 1, "the run goes on in the same file");
    let media: Ticks90k = segments[0]
        .fragments
        .iter()
        .fold(Ticks90k::ZERO, |sum, fragment| sum + fragment.duration);
    assert_eq!(media, Ticks90k::new(10 * testing::GOP_DURATION.get()));
    ffprobe(&site.files()[0]);
    let missing = assert_explained(&buffer, site.camera, TimeRange::new(START, end).unwrap()).await;
    assert_eq!(missing, [(seconds(2.0, 5.0), Reason::PacketsLost)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_ends_the_segment_and_is_in_the_ledger_while_it_lasts() {
    let site = Site::new();
    let mut studio = Studio::start(&site);
    studio.begin_run();
    studio.film(5);
    studio.end_run(Reason::CameraDisconnected);
    site.clock.advance(Duration::from_secs(30));
    let down = super::studio::eventually("the outage is told while it lasts", async || {
        let (_, gaps) = told(&studio.buffer).await;
        gaps.into_iter()
            .find(|gap| gap.reason == Reason::CameraDisconnected)
    })
    .await;
    assert_eq!(down.range.start(), START + Duration::from_secs(2));
    studio.begin_run();
    studio.film(5);
    let end = studio.now();
    let buffer = studio.wrap().await;

    let (segments, _) = told(&buffer).await;
    assert_eq!(segments.len(), 2);
    assert_ne!(segments[0].head.run, segments[1].head.run);
    let missing = assert_explained(&buffer, site.camera, TimeRange::new(START, end).unwrap()).await;
    assert_eq!(missing, [(seconds(2.0, 32.0), Reason::CameraDisconnected)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_segment_is_told_as_it_grows_and_can_be_read_within_its_fragments() {
    let site = Site::new();
    let mut studio = Studio::start(&site);
    studio.begin_run();
    studio.film(5);
    // The fifth GOP is complete when the sixth begins.
    studio
        .written_until(START + Duration::from_millis(1_600))
        .await;
    let open = studio.buffer.growing();
    assert_eq!(open.len(), 1);
    let id = open[0].head.id;
    let available = open[0].reported_bytes();
    let mut bytes = studio.buffer.read_range(id, 0, available).await.unwrap();
    let mut read = Vec::new();
    while let Some(piece) = bytes.next().await.unwrap() {
        read.extend_from_slice(&piece);
    }
    let walk = read::walk(std::io::Cursor::new(read)).unwrap();
    assert_eq!(walk.fragments, open[0].fragments);
    let beyond = studio.buffer.read_range(id, 0, available + 1_000_000).await;
    assert!(beyond.is_err());

    let mut cursor = cctv_agent::buffer::GrowthCursor::default();
    let news = studio.buffer.news(0, &mut cursor, 100).await.unwrap();
    assert!(news.drained);
    assert_eq!(news.growing[0].fragments, open[0].fragments);
    assert_eq!(
        news.watermarks[0].reported_until,
        open[0].fragments.last().unwrap().wall_range().end()
    );
    let again = studio.buffer.news(0, &mut cursor, 100).await.unwrap();
    assert_eq!(again.growing, []);
    studio.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_becomes_durable_soon() {
    let site = Site::new();
    let mut studio = Studio::start(&site);
    studio.begin_run();
    studio.film(5);
    let written = studio.written().await;
    studio.durable_until(written).await;
    studio.stop().await;
}

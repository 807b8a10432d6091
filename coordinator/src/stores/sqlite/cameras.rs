//! Cameras, and what the centre tells agents.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};
use shared::id::{AgentId, CameraId, CommandId};
use shared::time::WallTime;
use shared::wire::control::{Action, CameraInfo, CameraPolicy, Command, CommandOutcome};

use super::audit::write_audit;
use super::columns::{Blob, Count, Json, Name, Us};
use super::{SqlError, Sqlite};
use crate::domain::agency::AgencyCode;
use crate::domain::audit::Entry;
use crate::domain::camera::{Camera, CameraChange, CameraSettings};
use crate::stores::{CameraChanged, Cameras, Result};

const CAMERA: &str = "select c.id, c.agent_id, a.name, a.site_id, s.name, c.name, c.display_name,
    c.agency, c.streams, c.recording, c.since_us, c.present, c.set_recording, c.set_upload,
    c.set_retention_hours, a.time_zone
    from cameras c join agents a on a.id = c.agent_id join sites s on s.id = a.site_id";

#[async_trait]
impl Cameras for Sqlite {
    async fn camera(&self, id: CameraId) -> Result<Option<Camera>> {
        self.read("look up a camera", move |sql| camera(sql, id))
            .await
    }

    async fn cameras(&self) -> Result<Vec<Camera>> {
        self.read("list cameras", |sql| {
            let mut all = sql.prepare_cached(&format!(
                "{CAMERA} order by s.name, coalesce(c.display_name, c.name), c.id"
            ))?;
            let cameras = all.query_map([], read_camera)?.collect::<Result<_, _>>()?;
            Ok(cameras)
        })
        .await
    }

    async fn tell_cameras(
        &self,
        agent: AgentId,
        cameras: Vec<CameraInfo>,
    ) -> Result<Vec<CameraId>> {
        self.write("note an agent's cameras", move |sql| {
            sql.prepare_cached("update cameras set present = 0 where agent_id = ?1")?
                .execute([Blob(agent)])?;
            let mut foreign = Vec::new();
            for camera in cameras {
                if !tell_camera(sql, agent, &camera)? {
                    foreign.push(camera.id);
                }
            }
            Ok(foreign)
        })
        .await
    }

    async fn change_camera(
        &self,
        id: CameraId,
        change: CameraChange,
        command: CommandId,
        at: WallTime,
        audit: Entry,
    ) -> Result<CameraChanged> {
        self.write("change a camera", move |sql| {
            if let Some(code) = &change.agency
                && !agency_exists(sql, code)?
            {
                return Ok(CameraChanged::NoAgency(code.clone()));
            }
            apply_change(sql, id, &change)?;
            let Some(changed) = camera(sql, id)? else {
                return Ok(CameraChanged::NoCamera);
            };
            write_audit(sql, &audit)?;
            let order = if change.concerns_agent() {
                Some(order_configuration(sql, changed.agent, command, at)?)
            } else {
                None
            };
            Ok(CameraChanged::Yes(Box::new(changed), order))
        })
        .await
    }

    async fn pending_command(&self, agent: AgentId) -> Result<Option<Command>> {
        self.read("look up an agent's settings", move |sql| {
            let mut pending = sql.prepare_cached(
                "select id, action from commands where agent_id = ?1 and outcome is null",
            )?;
            let command = pending.query_row([Blob(agent)], |row| {
                Ok(Command {
                    id: row.get::<_, Blob<_>>(0)?.0,
                    action: row.get::<_, Json<_>>(1)?.0,
                })
            });
            Ok(command.optional()?)
        })
        .await
    }

    async fn finish_command(
        &self,
        agent: AgentId,
        command: CommandId,
        outcome: CommandOutcome,
        at: WallTime,
    ) -> Result<()> {
        self.write("note a command's outcome", move |sql| {
            sql.prepare_cached(
                "update commands set outcome = ?3, finished_us = ?4
                where agent_id = ?1 and id = ?2 and outcome is null",
            )?
            .execute(params![Blob(agent), Blob(command), Json(outcome), Us(at)])?;
            Ok(())
        })
        .await
    }
}

/// Enters or updates a camera as its agent describes it; `false` when it is another agent's.
fn tell_camera(sql: &Connection, agent: AgentId, camera: &CameraInfo) -> Result<bool, SqlError> {
    let told = sql
        .prepare_cached(
            "insert into cameras (id, agent_id, name, streams, recording, since_us)
            values (?1, ?2, ?3, ?4, ?5, ?6)
            on conflict (id) do update set name = excluded.name, streams = excluded.streams,
                recording = excluded.recording, since_us = excluded.since_us, present = 1
            where agent_id = excluded.agent_id",
        )?
        .execute(params![
            Blob(camera.id),
            Blob(agent),
            camera.name,
            Json(&camera.streams),
            camera.recording,
            Us(camera.since),
        ])?;
    Ok(told > 0)
}

fn agency_exists(sql: &Connection, code: &AgencyCode) -> Result<bool, SqlError> {
    let mut found = sql.prepare_cached("select 1 from agencies where code = ?1")?;
    Ok(found.exists([code.as_str()])?)
}

fn apply_change(sql: &Connection, id: CameraId, change: &CameraChange) -> Result<(), SqlError> {
    sql.prepare_cached(
        "update cameras set agency = coalesce(?2, agency),
            display_name = coalesce(?3, display_name),
            set_recording = coalesce(?4, set_recording), set_upload = coalesce(?5, set_upload),
            set_retention_hours = coalesce(?6, set_retention_hours)
        where id = ?1",
    )?
    .execute(params![
        Blob(id),
        change.agency.as_ref().map(AgencyCode::as_str),
        change.display_name,
        change.recording.map(Name),
        change.upload.map(Name),
        change.retention_hours,
    ])?;
    Ok(())
}

/// Replaces whatever the agent still had to be told by all its settings of now.
fn order_configuration(
    sql: &Connection,
    agent: AgentId,
    id: CommandId,
    at: WallTime,
) -> Result<Command, SqlError> {
    let revision: Count = sql
        .prepare_cached(
            "update agents set revision = revision + 1 where id = ?1 returning revision",
        )?
        .query_row([Blob(agent)], |row| row.get(0))?;
    let command = Command {
        id,
        action: Action::Configure {
            revision: revision.0,
            policies: policies(sql, agent)?,
        },
    };
    sql.prepare_cached(
        "insert into commands (agent_id, id, action, created_us) values (?1, ?2, ?3, ?4)
        on conflict (agent_id) do update set id = excluded.id, action = excluded.action,
            created_us = excluded.created_us, outcome = null, finished_us = null",
    )?
    .execute(params![
        Blob(agent),
        Blob(id),
        Json(&command.action),
        Us(at)
    ])?;
    Ok(command)
}

fn policies(sql: &Connection, agent: AgentId) -> Result<Vec<CameraPolicy>, SqlError> {
    let mut all = sql.prepare_cached(&format!("{CAMERA} where c.agent_id = ?1 order by c.id"))?;
    let cameras = all.query_map([Blob(agent)], read_camera)?;
    let mut policies = Vec::new();
    for camera in cameras {
        let camera = camera?;
        policies.extend(camera.settings.policy(camera.id));
    }
    Ok(policies)
}

fn camera(sql: &Connection, id: CameraId) -> Result<Option<Camera>, SqlError> {
    let mut found = sql.prepare_cached(&format!("{CAMERA} where c.id = ?1"))?;
    Ok(found.query_row([Blob(id)], read_camera).optional()?)
}

fn read_camera(row: &Row<'_>) -> rusqlite::Result<Camera> {
    Ok(Camera {
        id: row.get::<_, Blob<_>>(0)?.0,
        agent: row.get::<_, Blob<_>>(1)?.0,
        agent_name: row.get(2)?,
        site: row.get::<_, Blob<_>>(3)?.0,
        site_name: row.get(4)?,
        name: row.get(5)?,
        display_name: row.get(6)?,
        agency: row.get::<_, Name<_>>(7)?.0,
        streams: row.get::<_, Json<_>>(8)?.0,
        recording: row.get(9)?,
        since: row.get::<_, Us>(10)?.0,
        present: row.get(11)?,
        settings: CameraSettings {
            recording: row.get::<_, Option<Name<_>>>(12)?.map(|mode| mode.0),
            upload: row.get::<_, Option<Name<_>>>(13)?.map(|policy| policy.0),
            retention_hours: row.get(14)?,
        },
        time_zone: row.get(15)?,
    })
}

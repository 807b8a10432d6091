//! Sites, agents, invitations.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};
use shared::hash::Sha256;
use shared::id::AgentId;
use shared::time::WallTime;

use super::audit::write_audit;
use super::columns::{Blob, Json, Us};
use super::{SqlError, Sqlite};
use crate::domain::agent::{Agent, AgentStatus, Greeting, Invite, InviteUse, PublicKey, Site};
use crate::domain::audit::Entry;
use crate::stores::{Agents, Enrolled, Enrolment, NewInvite, Result};

const INVITE: &str = "select i.id, i.site_id, s.name, i.agent_name, i.secret, i.created_us,
    i.created_by, i.expires_us, i.used_us, i.used_agent_id, i.used_key
    from invites i join sites s on s.id = i.site_id";

const AGENT: &str = "select a.id, a.site_id, s.name, a.name, a.public_key, a.certificate,
    a.enrolled_us, a.revoked_us, a.boot_id, a.version, a.host, a.greeted_us, t.received_us,
    t.heartbeat, a.time_zone
    from agents a join sites s on s.id = a.site_id left join statuses t on t.agent_id = a.id";

#[async_trait]
impl Agents for Sqlite {
    async fn create_invite(&self, invite: NewInvite, audit: Entry) -> Result<Invite> {
        self.write("create an invitation", move |sql| {
            sql.prepare_cached(
                "insert into sites (id, name) values (?1, ?2) on conflict do nothing",
            )?
            .execute(params![Blob(invite.new_site), invite.site_name])?;
            sql.prepare_cached(
                "insert into invites (id, site_id, agent_name, secret, created_us, created_by,
                    expires_us)
                select ?1, id, ?3, ?4, ?5, ?6, ?7 from sites where name = ?2",
            )?
            .execute(params![
                Blob(invite.id),
                invite.site_name,
                invite.agent_name,
                Blob(invite.secret),
                Us(invite.created_at),
                invite.created_by.map(Blob),
                Us(invite.expires_at),
            ])?;
            write_audit(sql, &audit)?;
            let created = sql
                .prepare_cached(&format!("{INVITE} where i.id = ?1"))?
                .query_row([Blob(invite.id)], read_invite)?;
            Ok(created)
        })
        .await
    }

    async fn invite_by_secret(&self, secret: Sha256) -> Result<Option<Invite>> {
        self.read("look up an invitation", move |sql| {
            let mut found = sql.prepare_cached(&format!("{INVITE} where i.secret = ?1"))?;
            Ok(found.query_row([Blob(secret)], read_invite).optional()?)
        })
        .await
    }

    async fn invites(&self) -> Result<Vec<Invite>> {
        self.read("list invitations", |sql| {
            let mut all =
                sql.prepare_cached(&format!("{INVITE} order by i.created_us desc, i.id desc"))?;
            let invites = all.query_map([], read_invite)?.collect::<Result<_, _>>()?;
            Ok(invites)
        })
        .await
    }

    async fn enrol(&self, enrolment: Enrolment, audit: Entry) -> Result<Enrolled> {
        self.write("enrol an agent", move |sql| {
            let owner = owner_of_key(sql, &enrolment.public_key)?;
            if owner.is_some_and(|owner| owner != enrolment.agent) {
                return Ok(Enrolled::No);
            }
            let known = sql
                .prepare_cached("select 1 from agents where id = ?1 and public_key <> ?2")?
                .exists(params![Blob(enrolment.agent), enrolment.public_key])?;
            if known || !is_open(sql, &enrolment)? {
                return Ok(Enrolled::No);
            }
            enter_agent(sql, &enrolment)?;
            use_invite(sql, &enrolment)?;
            write_audit(sql, &audit)?;
            Ok(Enrolled::Yes)
        })
        .await
    }

    async fn agent(&self, id: AgentId) -> Result<Option<Agent>> {
        self.read("look up an agent", move |sql| {
            let mut found = sql.prepare_cached(&format!("{AGENT} where a.id = ?1"))?;
            Ok(found.query_row([Blob(id)], read_agent).optional()?)
        })
        .await
    }

    async fn agent_by_key(&self, public_key: PublicKey) -> Result<Option<Agent>> {
        self.read("look up an agent by its key", move |sql| {
            let mut found = sql.prepare_cached(&format!("{AGENT} where a.public_key = ?1"))?;
            Ok(found.query_row([public_key], read_agent).optional()?)
        })
        .await
    }

    async fn agents(&self) -> Result<Vec<Agent>> {
        self.read("list agents", |sql| {
            let mut all = sql.prepare_cached(&format!("{AGENT} order by a.name, a.id"))?;
            let agents = all.query_map([], read_agent)?.collect::<Result<_, _>>()?;
            Ok(agents)
        })
        .await
    }

    async fn sites(&self) -> Result<Vec<(Site, u32)>> {
        self.read("list sites", |sql| {
            let mut all = sql.prepare_cached(
                "select s.id, s.name, count(a.id) from sites s
                left join agents a on a.site_id = s.id
                group by s.id order by s.name, s.id",
            )?;
            let sites = all.query_map([], |row| {
                let site = Site {
                    id: row.get::<_, Blob<_>>(0)?.0,
                    name: row.get(1)?,
                };
                Ok((site, row.get(2)?))
            })?;
            Ok(sites.collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn revoke(&self, id: AgentId, at: WallTime, audit: Entry) -> Result<bool> {
        self.write("revoke an agent", move |sql| {
            let known = sql
                .prepare_cached(
                    "update agents set revoked_us = coalesce(revoked_us, ?2) where id = ?1",
                )?
                .execute(params![Blob(id), Us(at)])?;
            if known > 0 {
                write_audit(sql, &audit)?;
            }
            Ok(known > 0)
        })
        .await
    }

    async fn greet(&self, id: AgentId, greeting: Greeting) -> Result<()> {
        self.write("note an agent's greeting", move |sql| {
            sql.prepare_cached(
                "update agents set boot_id = ?2, version = ?3, host = ?4, greeted_us = ?5,
                    time_zone = ?6
                where id = ?1",
            )?
            .execute(params![
                Blob(id),
                Blob(greeting.boot),
                greeting.version,
                greeting.host,
                Us(greeting.at),
                greeting.time_zone,
            ])?;
            Ok(())
        })
        .await
    }

    async fn save_status(&self, id: AgentId, status: AgentStatus) -> Result<()> {
        self.write("save an agent's status", move |sql| {
            sql.prepare_cached(
                "insert into statuses (agent_id, received_us, heartbeat) values (?1, ?2, ?3)
                on conflict (agent_id) do update
                set received_us = excluded.received_us, heartbeat = excluded.heartbeat",
            )?
            .execute(params![
                Blob(id),
                Us(status.received_at),
                Json(status.heartbeat)
            ])?;
            Ok(())
        })
        .await
    }
}

fn owner_of_key(sql: &Connection, public_key: &PublicKey) -> Result<Option<AgentId>, SqlError> {
    let mut owner = sql.prepare_cached("select id from agents where public_key = ?1")?;
    let owner = owner.query_row([public_key], |row| row.get::<_, Blob<_>>(0));
    Ok(owner.optional()?.map(|owner| owner.0))
}

/// Whether the invitation is unused, or used by the same agent with the same key.
fn is_open(sql: &Connection, enrolment: &Enrolment) -> Result<bool, SqlError> {
    let mut open = sql.prepare_cached(
        "select 1 from invites where id = ?1
        and (used_us is null or (used_agent_id = ?2 and used_key = ?3))",
    )?;
    Ok(open.exists(params![
        Blob(enrolment.invite),
        Blob(enrolment.agent),
        enrolment.public_key
    ])?)
}

fn enter_agent(sql: &Connection, enrolment: &Enrolment) -> Result<(), SqlError> {
    sql.prepare_cached(
        "insert into agents (id, site_id, name, public_key, certificate, enrolled_us)
        select ?1, site_id, ?2, ?3, ?4, ?5 from invites where id = ?6
        on conflict (id) do update set site_id = excluded.site_id, name = excluded.name,
            certificate = excluded.certificate, enrolled_us = excluded.enrolled_us,
            revoked_us = null",
    )?
    .execute(params![
        Blob(enrolment.agent),
        enrolment.name,
        enrolment.public_key,
        Blob(enrolment.certificate),
        Us(enrolment.at),
        Blob(enrolment.invite),
    ])?;
    Ok(())
}

fn use_invite(sql: &Connection, enrolment: &Enrolment) -> Result<(), SqlError> {
    sql.prepare_cached(
        "update invites set used_us = ?2, used_agent_id = ?3, used_key = ?4
        where id = ?1 and used_us is null",
    )?
    .execute(params![
        Blob(enrolment.invite),
        Us(enrolment.at),
        Blob(enrolment.agent),
        enrolment.public_key,
    ])?;
    Ok(())
}

fn read_invite(row: &Row<'_>) -> rusqlite::Result<Invite> {
    let used_at: Option<Us> = row.get(8)?;
    let used_agent: Option<Blob<AgentId>> = row.get(9)?;
    let used_key: Option<PublicKey> = row.get(10)?;
    let used = used_at.zip(used_agent).zip(used_key);
    Ok(Invite {
        id: row.get::<_, Blob<_>>(0)?.0,
        site: row.get::<_, Blob<_>>(1)?.0,
        site_name: row.get(2)?,
        agent_name: row.get(3)?,
        secret: row.get::<_, Blob<_>>(4)?.0,
        created_at: row.get::<_, Us>(5)?.0,
        created_by: row.get::<_, Option<Blob<_>>>(6)?.map(|user| user.0),
        expires_at: row.get::<_, Us>(7)?.0,
        used: used.map(|((at, agent), public_key)| InviteUse {
            at: at.0,
            agent: agent.0,
            public_key,
        }),
    })
}

fn read_agent(row: &Row<'_>) -> rusqlite::Result<Agent> {
    Ok(Agent {
        id: row.get::<_, Blob<_>>(0)?.0,
        site: row.get::<_, Blob<_>>(1)?.0,
        site_name: row.get(2)?,
        name: row.get(3)?,
        public_key: row.get(4)?,
        certificate: row.get::<_, Blob<_>>(5)?.0,
        enrolled_at: row.get::<_, Us>(6)?.0,
        revoked_at: row.get::<_, Option<Us>>(7)?.map(|at| at.0),
        greeting: read_greeting(row)?,
        status: read_status(row)?,
    })
}

fn read_greeting(row: &Row<'_>) -> rusqlite::Result<Option<Greeting>> {
    let (Some(boot), Some(at)) = (
        row.get::<_, Option<Blob<_>>>(8)?,
        row.get::<_, Option<Us>>(11)?,
    ) else {
        return Ok(None);
    };
    Ok(Some(Greeting {
        boot: boot.0,
        version: row.get(9)?,
        host: row.get(10)?,
        time_zone: row.get(14)?,
        at: at.0,
    }))
}

fn read_status(row: &Row<'_>) -> rusqlite::Result<Option<AgentStatus>> {
    let (Some(received_at), Some(heartbeat)) = (
        row.get::<_, Option<Us>>(12)?,
        row.get::<_, Option<Json<_>>>(13)?,
    ) else {
        return Ok(None);
    };
    Ok(Some(AgentStatus {
        received_at: received_at.0,
        heartbeat: heartbeat.0,
    }))
}

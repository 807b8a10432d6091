/** The texts of both languages, one file per area. English defines which keys exist. */
import arAccess from './locales/ar/access.json'
import arAccount from './locales/ar/account.json'
import arAgents from './locales/ar/agents.json'
import arAudit from './locales/ar/audit.json'
import arCameras from './locales/ar/cameras.json'
import arCommon from './locales/ar/common.json'
import arErrors from './locales/ar/errors.json'
import arGroups from './locales/ar/groups.json'
import arLive from './locales/ar/live.json'
import arPeople from './locales/ar/people.json'
import arPlayer from './locales/ar/player.json'
import arProfile from './locales/ar/profile.json'
import arSession from './locales/ar/session.json'
import arTimeline from './locales/ar/timeline.json'
import arWall from './locales/ar/wall.json'
import enAccess from './locales/en/access.json'
import enAccount from './locales/en/account.json'
import enAgents from './locales/en/agents.json'
import enAudit from './locales/en/audit.json'
import enCameras from './locales/en/cameras.json'
import enCommon from './locales/en/common.json'
import enErrors from './locales/en/errors.json'
import enGroups from './locales/en/groups.json'
import enLive from './locales/en/live.json'
import enPeople from './locales/en/people.json'
import enPlayer from './locales/en/player.json'
import enProfile from './locales/en/profile.json'
import enSession from './locales/en/session.json'
import enTimeline from './locales/en/timeline.json'
import enWall from './locales/en/wall.json'
import type { Language } from './direction'

const en = {
  ...enAccess,
  ...enAccount,
  ...enAgents,
  ...enAudit,
  ...enCameras,
  ...enCommon,
  ...enErrors,
  ...enGroups,
  ...enLive,
  ...enPeople,
  ...enPlayer,
  ...enProfile,
  ...enSession,
  ...enTimeline,
  ...enWall,
}

/** The key of a text; a key that does not exist does not compile. */
export type MessageId = keyof typeof en

const ar: Record<MessageId, string> = {
  ...arAccess,
  ...arAccount,
  ...arAgents,
  ...arAudit,
  ...arCameras,
  ...arCommon,
  ...arErrors,
  ...arGroups,
  ...arLive,
  ...arPeople,
  ...arPlayer,
  ...arProfile,
  ...arSession,
  ...arTimeline,
  ...arWall,
}

export const MESSAGES: Record<Language, Record<MessageId, string>> = { en, ar }

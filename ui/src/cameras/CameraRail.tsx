import { useQuery } from '@tanstack/react-query'
import { NavLink } from 'react-router'
import { keepTime, type Heard } from '@/api/heard'
import type { Camera } from '@/api/model'
import { camerasQuery } from '@/api/queries'
import { useNow } from '@/hooks/use-now'
import { useFormat, useText } from '@/i18n/use-text'
import { paths } from '@/paths'
import { Icon } from '@/ui/Icon'
import styles from './CameraRail.module.css'
import { bySite } from './grouping'
import { LOOKS, seen } from './health'

/** Every camera beside the one on the page, to go from one to the next. */
export function CameraRail() {
  const text = useText()
  const format = useFormat()
  const now = useNow()
  const { data: cameras } = useQuery(camerasQuery)
  if (!cameras) return null
  const sites = bySite(cameras, { words: '', group: undefined }, now, format.compare)
  return (
    <nav className={styles.rail} aria-label={text('cameras.rail')}>
      {sites.map((site) => (
        <section key={site.id}>
          <h2 className={styles.site}>
            <bdi>{site.name}</bdi>
          </h2>
          <ul>
            {site.cameras.map((camera) => (
              <li key={camera.id}>
                <RailLink camera={keepTime(cameras, camera)} />
              </li>
            ))}
          </ul>
        </section>
      ))}
    </nav>
  )
}

type RailLinkProps = Readonly<{ camera: Heard<Camera> }>

function RailLink({ camera }: RailLinkProps) {
  const text = useText()
  const look = LOOKS[seen(camera, useNow()).state]
  return (
    <NavLink className={styles.link ?? ''} to={paths.camera(camera.value.id)}>
      <span className={styles.state} data-tone={look.tone} title={text(look.label)}>
        <Icon name={look.icon} size={14} />
        <span className={styles.stateName}>{text(look.label)}</span>
      </span>
      <bdi className={styles.name}>{camera.value.name}</bdi>
    </NavLink>
  )
}

import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from 'react-router'
import { can } from '@/access/can'
import { errorSentence, RefusedError } from '@/api/errors'
import { cameraQuery, camerasQuery, sessionQuery } from '@/api/queries'
import { CameraSettingsForm } from '@/cameras/CameraSettingsForm'
import { useTitle } from '@/hooks/use-title'
import { useLanguage, useText } from '@/i18n/use-text'
import { paths } from '@/paths'
import { Icon } from '@/ui/Icon'
import { Notice } from '@/ui/Notice'
import styles from './CameraSettingsPage.module.css'
import { NotFoundPage } from './NotFoundPage'
import { Waiting } from './Waiting'

export function CameraSettingsPage() {
  const { id = '' } = useParams()
  const text = useText()
  const language = useLanguage()
  const { data: camera, error } = useQuery(cameraQuery(id))
  const { data: cameras } = useQuery(camerasQuery)
  const { data: me } = useQuery(sessionQuery)
  const title = text('cameras.settings.title')
  useTitle(camera ? `${camera.value.name} · ${title}` : title, text('common.product'))
  if (error instanceof RefusedError && error.status === 404) return <NotFoundPage />
  if (!camera) {
    return error ? <Notice tone="bad">{errorSentence(error, language, text)}</Notice> : <Waiting />
  }
  const { agency, name } = camera.value
  const agencies = new Set([agency, ...(cameras?.value ?? []).map((one) => one.agency)])
  const mayNot = can(me, { kind: 'camera', agency, id, action: 'configure' })
    ? undefined
    : text('cameras.mayNotManage')
  return (
    <div className={styles.page}>
      <Link className={styles.back} to={paths.camera(id)}>
        <Icon name="arrowBack" />
        <bdi>{name}</bdi>
      </Link>
      <h1 className={styles.title}>{title}</h1>
      <section className={styles.card}>
        <CameraSettingsForm
          key={id}
          camera={camera.value}
          agencies={[...agencies].sort()}
          disabledReason={mayNot}
        />
      </section>
    </div>
  )
}

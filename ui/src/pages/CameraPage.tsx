import { useMutation, useQuery } from '@tanstack/react-query'
import { Link, useParams } from 'react-router'
import { can } from '@/access/can'
import { api, ask } from '@/api/client'
import { errorSentence, RefusedError } from '@/api/errors'
import type { Heard } from '@/api/heard'
import type { Camera } from '@/api/model'
import { cameraQuery, sessionQuery } from '@/api/queries'
import { CameraFacts } from '@/cameras/CameraFacts'
import { CameraRail } from '@/cameras/CameraRail'
import { HealthTag } from '@/cameras/HealthTag'
import { seen } from '@/cameras/health'
import { useNow } from '@/hooks/use-now'
import { useTitle } from '@/hooks/use-title'
import { useLanguage, useText } from '@/i18n/use-text'
import { paths } from '@/paths'
import { useToasts } from '@/stores/toast'
import { Button } from '@/ui/Button'
import { Icon } from '@/ui/Icon'
import { Notice } from '@/ui/Notice'
import styles from './CameraPage.module.css'
import { NotFoundPage } from './NotFoundPage'
import { PlaybackPanel } from './PlaybackPanel'
import { Waiting } from './Waiting'

export function CameraPage() {
  const { id = '' } = useParams()
  const text = useText()
  const language = useLanguage()
  const { data: camera, error } = useQuery(cameraQuery(id))
  useTitle(camera?.value.name, text('common.product'))
  const gone = error instanceof RefusedError && (error.status === 404 || error.status === 400)
  if (gone) return <NotFoundPage />
  return (
    <div className={styles.page}>
      <CameraRail />
      <div className={styles.main}>
        {!camera && error && <Notice tone="bad">{errorSentence(error, language, text)}</Notice>}
        {!camera && !error && <Waiting />}
        {camera && (
          <>
            <CameraHead camera={camera} />
            {/* Another camera is another picture: nothing of the old one may stay. */}
            <PlaybackPanel key={id} camera={camera} facts={<CameraFacts camera={camera} />} />
          </>
        )}
      </div>
    </div>
  )
}

type HeadProps = Readonly<{ camera: Heard<Camera> }>

function CameraHead({ camera: heard }: HeadProps) {
  const camera = heard.value
  const text = useText()
  const { state } = seen(heard, useNow())
  const { data: me } = useQuery(sessionQuery)
  const { agency, id } = camera
  const mayNot = can(me, { kind: 'camera', agency, id, action: 'configure' })
    ? undefined
    : text('cameras.mayNotManage')
  return (
    <header className={styles.head}>
      <div className={styles.titles}>
        <p className={styles.where}>
          <Link to={paths.sites()}>{text('common.nav.cameras')}</Link>
          <Icon name="chevronForward" size={12} />
          <bdi>{camera.site_name}</bdi>
        </p>
        <div className={styles.nameLine}>
          <h1 className={styles.name}>
            <bdi>{camera.name}</bdi>
          </h1>
          <HealthTag state={state} />
        </div>
      </div>
      <div className={styles.actions}>
        <RestartButton
          camera={camera}
          disabledReason={
            mayNot ??
            (state === 'offline' || state === 'unheard' ? text('cameras.restart.away') : undefined)
          }
        />
        <Link className={styles.settings} to={paths.cameraSettings(camera.id)}>
          <Icon name="gear" />
          {text('cameras.settings.title')}
        </Link>
      </div>
    </header>
  )
}

type RestartProps = Readonly<{ camera: Camera; disabledReason: string | undefined }>

function RestartButton({ camera, disabledReason }: RestartProps) {
  const text = useText()
  const language = useLanguage()
  const showToast = useToasts((toasts) => toasts.show)
  const restart = useMutation({
    mutationFn: () =>
      ask(api.POST('/api/v1/cameras/{id}/restart', { params: { path: { id: camera.id } } })),
    onSuccess: () => showToast('done', text('cameras.restart.done')),
    onError: (error) => showToast('failed', errorSentence(error, language, text)),
  })
  return (
    <Button
      icon="restart"
      disabledReason={disabledReason}
      busy={restart.isPending}
      onClick={() => restart.mutate()}
    >
      {text('cameras.restart.action')}
    </Button>
  )
}

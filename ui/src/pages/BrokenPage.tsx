import { useRouteError } from 'react-router'
import { LanguageProvider } from '@/i18n/LanguageProvider'
import { useText } from '@/i18n/use-text'
import { usePreferences } from '@/stores/preferences'
import { Button } from '@/ui/Button'
import { EmptyState } from '@/ui/EmptyState'

/** In place of a page that could not be shown. */
export function BrokenPage() {
  const error = useRouteError()
  const language = usePreferences((preferences) => preferences.language)
  console.error(error)
  return (
    <LanguageProvider language={language}>
      <Apology />
    </LanguageProvider>
  )
}

function Apology() {
  const text = useText()
  return (
    <EmptyState
      icon="alert"
      title={text('errors.broken.title')}
      action={
        <Button icon="restart" onClick={() => location.reload()}>
          {text('errors.broken.reload')}
        </Button>
      }
    >
      {text('errors.broken.text')}
    </EmptyState>
  )
}

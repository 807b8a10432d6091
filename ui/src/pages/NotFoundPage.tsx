import { Link } from 'react-router'
import { useTitle } from '@/hooks/use-title'
import { useText } from '@/i18n/use-text'
import { paths } from '@/paths'
import { EmptyState } from '@/ui/EmptyState'

export function NotFoundPage() {
  const text = useText()
  useTitle(text('errors.notFound.title'), text('common.product'))
  return (
    <EmptyState
      icon="search"
      title={text('errors.notFound.title')}
      action={<Link to={paths.sites()}>{text('errors.notFound.back')}</Link>}
    >
      {text('errors.notFound.text')}
    </EmptyState>
  )
}

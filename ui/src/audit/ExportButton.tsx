import { Button } from '@/ui/Button'

type Props = Readonly<{ href: string; label: string; disabledReason: string | undefined }>

/** Has the browser fetch a file; it may be large, so it never goes through the page. */
export function ExportButton({ href, label, disabledReason }: Props) {
  return (
    <Button
      icon="download"
      disabledReason={disabledReason}
      onClick={() => {
        const link = document.createElement('a')
        link.href = href
        link.download = ''
        link.click()
      }}
    >
      {label}
    </Button>
  )
}

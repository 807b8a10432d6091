import { useEffect } from 'react'

/** Names the page in the browser's tab; `product` comes last. */
export function useTitle(title: string | undefined, product: string): void {
  useEffect(() => {
    document.title = title ? `${title} · ${product}` : product
  }, [title, product])
}

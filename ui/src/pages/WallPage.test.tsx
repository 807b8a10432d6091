import { act, fireEvent, screen, waitFor, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { http, HttpResponse } from 'msw'
import { beforeEach, describe, expect, it } from 'vitest'
import { uuid } from '@mock/builders'
import { useWallStore } from '@/stores/wall'
import { expectAccessible, visit } from '../../testing/page'
import { server } from '../../testing/server'

beforeEach(() => useWallStore.setState({ last: '', panel: true }))

const tile = (name: RegExp | string) => screen.getByRole('button', { name })
const tiles = () => screen.getAllByRole('button', { name: /^Tile \d/ })
const item = (name: RegExp) => screen.getByRole('treeitem', { name })
const wall = (layout: string, ...cameras: number[]) =>
  `/wall?layout=${encodeURIComponent(layout)}&tiles=${cameras.map(uuid).join('.')}`
/** Which tile shows what, by the words of the tiles. */
const shown = () =>
  tiles()
    .map((element) => element.getAttribute('aria-label'))
    .sort()

describe('the wall', () => {
  it('shows the cameras of its address where the address says', async () => {
    visit(`/wall?layout=2x2&tiles=${uuid(1)}..${uuid(6)}`)
    await screen.findByRole('group', { name: 'Pictures' })
    expect(shown()).toEqual([
      'Tile 1: Gate 1, entry lane',
      'Tile 2: empty',
      'Tile 3: Northbound 2',
      'Tile 4: empty',
    ])
  })

  it('changes its layout and keeps every camera where it is', async () => {
    const { router } = visit(wall('3x3', 1, 2, 5, 6, 8))
    await userEvent.click(await screen.findByRole('button', { name: 'Layout: 3 × 3' }))
    await userEvent.click(screen.getByRole('button', { name: '2 × 2' }))
    expect(tiles()).toHaveLength(4)
    expect(router.state.location.search).toContain('layout=2x2')
    await userEvent.click(screen.getByRole('button', { name: 'Layout: 2 × 2' }))
    await userEvent.click(screen.getByRole('button', { name: '1 + 7' }))
    expect(tiles()).toHaveLength(8)
    expect(tile('Tile 5: Southbound 2')).toBeVisible()
  })

  it('fills the next free tile on a double click, and says when there is none', async () => {
    visit(wall('1x1'))
    await screen.findByRole('tree')
    await userEvent.dblClick(item(/Gate 2/))
    expect(tile('Tile 1: Gate 2, exit lane')).toBeVisible()
    await userEvent.dblClick(item(/Gate 1/))
    expect(await screen.findByText(/1 camera has no free tile/)).toBeVisible()
    expect(shown()).toEqual(['Tile 1: Gate 2, exit lane'])
  })

  it('takes what is dragged from the list or from another tile', async () => {
    visit(wall('2x2', 1, 2))
    await screen.findByRole('tree')
    const data = new Map<string, string>()
    const dataTransfer = {
      setData: (type: string, value: string) => data.set(type, value),
      getData: (type: string) => data.get(type) ?? '',
      get types() {
        return [...data.keys()]
      },
    }
    fireEvent.dragStart(item(/Northbound 1/), { dataTransfer })
    fireEvent.dragOver(tile(/^Tile 4/), { dataTransfer })
    fireEvent.drop(tile(/^Tile 4/), { dataTransfer })
    expect(tile('Tile 4: Northbound 1')).toBeVisible()
    fireEvent.dragStart(tile(/^Tile 4/), { dataTransfer })
    fireEvent.drop(tile(/^Tile 1/), { dataTransfer })
    expect(shown()).toEqual([
      'Tile 1: Northbound 1',
      'Tile 2: Gate 2, exit lane',
      'Tile 3: empty',
      'Tile 4: Gate 1, entry lane',
    ])
    data.clear()
    data.set('application/x-cctv-wall', '{"is":"cameras","ids":[7,null]}')
    fireEvent.drop(tile(/^Tile 1/), { dataTransfer })
    expect(tile('Tile 1: Northbound 1')).toBeVisible()
  })

  it('remembers itself for whoever comes back without an address', async () => {
    const { router, unmount } = visit(wall('4x5', 1))
    await screen.findByRole('group', { name: 'Pictures' })
    unmount()
    expect(router.state.location.pathname).toBe('/wall')
    const again = visit('/wall')
    await waitFor(() => expect(again.router.state.location.search).toContain('layout=4x5'))
    expect(await screen.findByRole('button', { name: /^Tile 1: Gate 1/ })).toBeVisible()
  })

  it('lets cameras take turns where there are more than tiles', async () => {
    const { router } = visit(wall('2x2', 1, 2, 5, 6, 7))
    await userEvent.selectOptions(await screen.findByRole('combobox', { name: 'Rotation' }), '5')
    expect(router.state.location.search).toContain('tour=5')
    expect(screen.getByText('1 of 2')).toBeVisible()
    expect(shown()[0]).toBe('Tile 1: Gate 1, entry lane')
    await userEvent.dblClick(item(/Southbound 2/))
    expect(router.state.location.search).toContain(`${uuid(7)}.${uuid(8)}`)
  })

  it('keeps the place of a camera that cannot be seen', async () => {
    visit(`/wall?layout=2x2&tiles=${uuid(1)}.${uuid(5)}`, { as: 'operator' })
    expect(
      await screen.findByRole('button', { name: /^Tile 2: a camera that cannot/ }),
    ).toBeVisible()
    await userEvent.click(screen.getByRole('button', { name: 'Free the tile' }))
    expect(tile('Tile 2: empty')).toBeVisible()
  })

  it('finds cameras in both languages of their names and sites', async () => {
    visit(wall('2x2'))
    await userEvent.type(await screen.findByRole('searchbox'), 'creek 2')
    expect(screen.getAllByRole('treeitem')).toHaveLength(3)
    await userEvent.keyboard('{Enter}')
    expect(shown()[0]).toBe('Tile 1: Northbound 2')
  })

  it('shows how many streams each agency uses', async () => {
    visit(wall('1x1'))
    const full = await screen.findByRole('meter', { name: 'Full streams of Dubai Police' })
    expect(full).toHaveAttribute('aria-valuetext', '41 of 50')
    expect(screen.getByRole('meter', { name: 'Reduced streams of All agencies' })).toHaveAttribute(
      'aria-valuenow',
      '126',
    )
  })

  it('says that nobody answers', async () => {
    server.use(http.get('/api/v1/cameras', () => HttpResponse.error()))
    visit('/wall')
    expect(await screen.findByRole('alert')).toHaveTextContent('The system does not answer')
  })

  it.each(['en', 'ar'] as const)('is accessible (%s)', async (language) => {
    visit(wall('1+5', 1, 3, 7), { language })
    await screen.findByRole('tree')
    await act(() => Promise.resolve())
    await expectAccessible()
  })
})

describe('the keys of the wall', () => {
  it('lead from tile to tile, as they are seen', async () => {
    visit(wall('2x2', 1, 2))
    await screen.findByRole('group', { name: 'Pictures' })
    act(() => tile(/^Tile 1/).focus())
    await userEvent.keyboard('{ArrowRight}')
    expect(tile(/^Tile 2/)).toHaveFocus()
    await userEvent.keyboard('{ArrowDown}')
    expect(tile(/^Tile 4/)).toHaveFocus()
    await userEvent.keyboard('{Home}')
    expect(tile(/^Tile 1/)).toHaveFocus()
    expect(tiles().filter((element) => element.tabIndex === 0)).toHaveLength(1)
  })

  it('lead the other way where lines run the other way', async () => {
    visit(wall('2x2', 1, 2), { language: 'ar' })
    const first = await screen.findByRole('button', { name: /^الخانة 1/ })
    act(() => first.focus())
    await userEvent.keyboard('{ArrowLeft}')
    expect(screen.getByRole('button', { name: /^الخانة 2/ })).toHaveFocus()
  })

  it('take a camera up and put it down', async () => {
    visit(wall('2x2', 1, 2))
    await screen.findByRole('group', { name: 'Pictures' })
    act(() => tile(/^Tile 1/).focus())
    await userEvent.keyboard(' ')
    expect(screen.getByText(/Tile 1 was taken up/)).toBeInTheDocument()
    await userEvent.keyboard('{ArrowDown} ')
    expect(tile('Tile 3: Gate 1, entry lane')).toHaveFocus()
    expect(tile('Tile 1: empty')).toBeVisible()
  })

  it('remove a camera, and show one alone', async () => {
    const { router } = visit(wall('2x2', 1, 2))
    await screen.findByRole('group', { name: 'Pictures' })
    act(() => tile(/^Tile 2/).focus())
    await userEvent.keyboard('{Enter}')
    expect(router.state.location.search).toContain('large=2')
    await userEvent.keyboard('{Escape}')
    expect(router.state.location.search).not.toContain('large')
    await userEvent.keyboard('{Delete}')
    expect(tile('Tile 2: empty')).toHaveFocus()
  })

  it('lead from an empty tile to the search, and a camera from there into that tile', async () => {
    visit(wall('2x2', 1))
    await screen.findByRole('tree')
    act(() => tile(/^Tile 3/).focus())
    await userEvent.keyboard('{Enter}')
    await waitFor(() => expect(screen.getByRole('searchbox')).toHaveFocus())
    await userEvent.keyboard('north{Enter}')
    expect(tile('Tile 3: Northbound 1')).toBeVisible()
  })

  it('open and close folders', async () => {
    visit(wall('2x2'))
    const tree = await screen.findByRole('tree')
    const depot = item(/Al Rigga depot/)
    act(() => depot.focus())
    await userEvent.keyboard('{ArrowLeft}')
    expect(depot).toHaveAttribute('aria-expanded', 'false')
    expect(within(tree).getAllByRole('treeitem')).toHaveLength(6)
    await userEvent.keyboard('{ArrowRight}{ArrowDown}')
    expect(item(/Fuel island/)).toHaveFocus()
    await userEvent.keyboard('{ArrowLeft}')
    expect(depot).toHaveFocus()
    await userEvent.keyboard('{Enter}')
    expect(tile('Tile 4: Workshop')).toBeVisible()
  })
})
